#!/usr/bin/env python3
"""Writes pretokenizer_cases.jsonl: how the published expressions cut texts.

Use: make_pretokenizer_cases.py > pretokenizer_cases.jsonl   (needs the PyPI package regex)

The expressions are those of the models' tokenizer.json or Python code, and of llama.cpp where a name
is llama.cpp's; the package `regex` applies them. It has newer Unicode tables than Tutti, so the texts
hold only characters that both know. Each line has a text and, per pre-tokenizer, the ends of its
pieces in bytes.
"""
import json
import random

import regex

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


def gpt4(numbers, letters=r"\p{L}", others=r"[^\s\p{L}\p{N}]", tail=r"[\r\n]*"):
    return (CONTRACTION + rf"|[^\r\n\p{{L}}\p{{N}}]?{letters}+|\p{{N}}{numbers}| ?{others}+{tail}|" + SPACES)


def gpt4o(contraction, numbers, cut="", tail=r"[\r\n/]*"):
    return (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}{cut}]*[{LOWER}{cut}]+{contraction}|"
            rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}{cut}]+[{LOWER}{cut}]*{contraction}|"
            rf"\p{{N}}{numbers}| ?[^\s\p{{L}}\p{{N}}]+{tail}|" + SPACES)


DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
             r""" ?[\p{P}\p{S}]+[\r\n]*|""" + SPACES)
DEEPSEEK_LETTERS = r"\s?[" + "".join(
    "-".join(chr(int(x, 16)) for x in item.split("-")) for item in """
    41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376-377 37B-37D 37F 386 388-38A
    38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF
    1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D
    1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4
    1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F
    2145-2149 214E 2183-2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2-2CF3 A640-A66D A680-A69B A722-A76F
    A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3
    104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943""".split()) + "]+"
EAST_ASIAN = "[一-龥ࠀ-一가-\ud7ff]+"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
FALCON_PUNCTUATION = r"[\p{P}\$\+<=>\^~\|`]+"

PRETOKENIZERS = {
    "gpt-2": [GPT2],
    "starcoder": [r"\p{N}", GPT2],
    "falcon": [FALCON_PUNCTUATION, GPT2, "[0-9][0-9][0-9]"],
    "default": [FALCON_PUNCTUATION, GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "llama-bpe": [gpt4("{1,3}")],
    "qwen2": [gpt4("")],
    "qwen35": [gpt4("", r"[\p{L}\p{M}]", r"[^\s\p{L}\p{M}\p{N}]")],
    "seed-coder": [gpt4("{1}", others=r"[^\s\p{L}\p{N}\r\n]", tail="")],
    "minicpm5": [r"\p{N}{1,3}", gpt4("+")],
    "gpt-4o": [gpt4o(CONTRACTION + "?", "{1,3}")],
    "tekken": [gpt4o("", "")],
    "kimi-k2": [r"[\p{Han}]+|" + gpt4o(CONTRACTION + "?", "{1,3}", r"&&[^\p{Han}]", r"[\r\n]*")],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3],
    "deepseek-llm": ["[\r\n]", DEEPSEEK_LETTERS, r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", EAST_ASIAN, r"\p{N}+"],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN, r"\p{N}"],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
}

TEXTS = [
    "Hello, world!", "don't DON'T we'll I'M ſ'ſ 'ſ x'RE", "''s 'll'", "a'b'c 'twas", "  two  spaces", "x   \n\n  y \r\n z", "\n \n\t\n", " \n", "tab\tx\t\ty",
    "1 12 123 1234 12345 1a2b ½²Ⅷ", "٣٤ ３４５６", "3.14 1,000 v1.2.3", "!!!??? ...x ,y -z", "a/b//c/\n/d !/\n/", "foo(bar){\n\treturn;\n}\n", "x=\"1\";//c\r\n\r\n",
    "中文字 日本語かな カナ한국어", "我13800138000号", "〇々〆⺀龥龦鿿㐀", "中A中a A中 a中B", "Ünïcödé e\u0301 \u0301a \u0301\u0301 \u0301A A\u0301B", "ǅ ǈa ʰA ªb ºC", "ᾼ ῌ ℝ Ω K Å ℵ",
    "CamelCaseWord HTMLParser iPhone aB Ab AB ab", "ABCdefGHI'S jkl'LL", "हिन्दी में क्षत्रिय ।", "ไทยไม่มี กำ น้ำ", "\u00a0x\u00a0\u00a0y \u3000\u3000z\u2028w", "\u200b\u200d\ufeff \x00\x01\x1c", "😀👍🏽 🇨🇭a 1️⃣", "$+<=>^~|` `code` $x", "“q” ‘q’ «x» …", "a|b(c)d,e.f", "。，、।۔،x y。", "end.  ", "  ", " ", "a ", " a", "\t a", "\u3000a \u3000", "$a _b #c -D \\e [F", "\r", "\r\n\r\n x", "ａＡ！～ ＿", "ϵ϶ϷΑͿ ᲐᲽ", "\U00010400\U0001E900 𑢠",
]
POOLS = ["abcxyz", "ABCXYZ", "0123456789", "   \t\n\r", "'’.,!?-/|$<_", "éñßÅŒ", "中文々〇⺀", "かカ", "한국", "ʰªǅ", "\u0301\u093f\u20dd", "½²٣Ⅷ", "\u00a0\u3000\u2003", "😀™€", "\u200d\x00\x07", "std'sTMrelv"]


def cut(expressions, text):
    pieces = [text]
    for expression in expressions:
        compiled = regex.compile(expression, regex.V1 if "&&" in expression else regex.V0)
        finer = []
        for piece in pieces:
            done = 0
            for match in compiled.finditer(piece):
                if match.end() == match.start():
                    continue
                if done < match.start():
                    finer.append(piece[done:match.start()])
                finer.append(match.group())
                done = match.end()
            if done < len(piece):
                finer.append(piece[done:])
        pieces = finer
    return pieces


def main():
    rng = random.Random(1)
    texts = TEXTS + ["".join(rng.choice(rng.choice(POOLS)) for _ in range(rng.randint(3, 40))) for _ in range(120)]
    for text in texts:
        ends = {}
        for name, expressions in PRETOKENIZERS.items():
            pieces = cut(expressions, text)
            assert "".join(pieces) == text
            total, ends[name] = 0, []
            for piece in pieces:
                total += len(piece.encode())
                ends[name].append(total)
        print(json.dumps({"text": text, "ends": ends}, separators=(",", ":")))


if __name__ == "__main__":
    main()
