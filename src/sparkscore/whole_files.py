"""Files that others see whole or not at all."""

from pathlib import Path


def place_new_file(whole: Path, file: Path) -> bool:
    """Give a file that is written the name that it is for, unless something has it; whether it got it.

    Both lie in one folder. `whole` may stay as it is: whoever has written it removes it. Where the file system has no
    links, of two at the same moment the later one wins.

    Raises:  OSError.
    """
    try:
        file.hardlink_to(whole)  # opened by its name and then written, others would see it empty
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if file.is_symlink() or file.exists():
            return False
        whole.replace(file)
    return True
