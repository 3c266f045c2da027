#!/usr/bin/env python3
"""Rebuilds the two registry extracts from the registries themselves.

    refresh.py PEN.tsv OUI.tsv

PEN.tsv: number TAB organisation (IANA private enterprise numbers).
OUI.tsv: prefix TAB bits TAB organisation (IEEE MA-L, MA-M, MA-S, IAB).
Kept: organisations that build network equipment as far as the registries tell, that is
numbers below 20000 or of an organisation (or its first word) with an IEEE prefix, and prefixes
of organisations with an enterprise number, with three prefixes or more, or known as suppliers.
"""
import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
LEGAL = set(
    "inc incorporated ltd limited llc corp corporation co company gmbh ag ab as a s oy oyj sa sas srl spa p bv nv"
    " b v n kg kgaa plc pty pte sdn bhd kk k z o r sro ltda aps ooo zao lp llp c mbh jsc ohg tbk pt".split()
)
NO_MAKER = re.compile(
    r"universi|school|college|hochschule|gymnasium|\bbank\b|ministry|hospital|foundation|church|verein|\be\. ?v\.|"
    r"county|city of|institut|consult|hosting|library|association|student|police|insurance|@|^unassigned|^reserved|"
    r"^private$|registration authority|deleted|\bnone\b",
    re.I,
)


def normal(name):
    name = re.sub(r"\(.*?\)", " ", name)
    words = re.sub(r"[^\w&+]+|_", " ", name.lower()).split()
    while len(words) > 1 and words[-1] in LEGAL:
        words.pop()
    return " ".join(words)


def rows(path):
    for line in open(path, encoding="utf8"):
        if not line.startswith("#"):
            yield line.rstrip("\n").split("\t")


def main(pen_path, oui_path):
    numbers = [(int(row[0]), " ".join(row[1].split())) for row in rows(pen_path)]
    prefixes = collections.defaultdict(list)
    for prefix, bits, name in rows(oui_path):
        prefixes[" ".join(name.split())].append(prefix.upper()[: int(bits) // 4])
    exact, starting = set(), []
    for row in rows(HERE / "suppliers.tsv"):
        for alias in row[3].split(";"):
            if alias.endswith("*"):
                starting.append(alias[:-1])
            elif alias:
                exact.add(alias)
    starting = tuple(starting)

    def known(name):
        return name in exact or any(name == s or name.startswith(s + " ") for s in starting)

    with_number = {normal(name) for _, name in numbers}
    with_prefix = {normal(name) for name in prefixes}
    first_words = {name.split(" ")[0] for name in with_prefix if name}
    with open(HERE / "enterprise-registry.tsv", "w", encoding="utf8") as out:
        out.write("# Extract of the IANA private enterprise numbers (2026), made by refresh.py: number, organisation\n")
        for number, name in sorted(numbers):
            plain = normal(name)
            if not plain or number == 0:
                continue
            keep = number < 12000 or plain in with_prefix or (number < 40000 and plain.split(" ")[0] in first_words)
            if known(plain) or (keep and not NO_MAKER.search(name)):
                out.write(f"{number}\t{name[:60]}\n")
    with open(HERE / "address-registry.tsv", "w", encoding="utf8") as out:
        out.write("# Extract of the IEEE MA-L, MA-M, MA-S and IAB prefixes (2026-06), made by refresh.py: organisation, prefixes\n")
        for name, held in sorted(prefixes.items()):
            plain = normal(name)
            if known(plain) or (not NO_MAKER.search(name) and (plain in with_number or len(held) >= 3)):
                out.write(f"{name[:60]}\t{' '.join(sorted(held))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
