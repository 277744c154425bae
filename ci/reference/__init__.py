"""The pages of docs/reference, made from the code: settings, tables, errors, results, Python, command line.

python -m ci.reference            writes the pages anew
python -m ci.reference --check    names the pages that are stale; ends with 1 where there are some
"""
