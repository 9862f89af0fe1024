#!/usr/bin/env python3
"""Writes nfc_cases.jsonl: texts and their normalisation form C by Python's unicodedata.

Use: make_nfc_cases.py [COUNT SEED] > nfc_cases.jsonl
"""
import json
import random
import sys
import unicodedata

POOLS = ["aeiouAEIOUcnsyzß", "\u0300\u0301\u0302\u0308\u030a\u0323\u0327\u0328\u0331\u031b", "\u00e9\u00e5\u1ea1\u1e69\u01d7\u1f82", "\u1100\u1101\u1112\u1161\u1162\u1175\u11a8\u11c2\uac00\ud7a3\uac01",
         "\u09c7\u09be\u09d7\u0bc6\u0bbe\u0dd9\u0dcf\u0dca\u0ddc", "\u212b\u2126\u212a\uf900\ufb1d\u0958\u0344\u0374", "\u05d0\u05b7\u05bc\u05c1\u0e01\u0e33\u0e48", "\u3042\u304b\u3099\u309a\u30f3", "\U0001d15e\U0001d165\U00011099\U000110ba\U0002f800", "x .,1"]


def main():
    count, seed = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (150, 1)
    rng = random.Random(seed)
    for _ in range(count):
        text = "".join(rng.choice(rng.choice(POOLS)) for _ in range(rng.randint(1, 14)))
        print(json.dumps({"text": text, "nfc": unicodedata.normalize("NFC", text)}))


if __name__ == "__main__":
    main()
