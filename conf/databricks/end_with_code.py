"""A task that fails with the exit code that an earlier one has set: `end_with_code.py 3 "what was found"`."""

import sys

MEANINGS = {
    "1": "an error of the suite or of the platform",
    "2": "config, names, tables, permissions",
    "3": "a gate, duplicate keys, too many rejected rows",
    "4": "the model",
    "5": "published, but drift or an SLA rule failed",
}

if __name__ == "__main__":
    code, message = sys.argv[1], " ".join(sys.argv[2:])
    sys.stderr.write(f"sparkscore ended with {code} ({MEANINGS.get(code, 'unknown')}): {message}\n")
    sys.exit(int(code))
