#!/usr/bin/env python3
"""Writes vocabularies/: small tokenizers of every kind and how their own libraries encode with them.

Use: make_vocabularies.py OUT   (needs the PyPI packages tokenizers 0.23.3 and sentencepiece 0.2.3)

Each NAME.json or NAME.model was trained here on the text below; NAME.cases.jsonl has lines with text,
ids, parse_special and what the library decodes from the ids.
"""
import io
import json
import os
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """The tutti begins when all the players come in together. Many ordinary players, led well, are louder than one
soloist. She counted 12 violins, 8 violas, 6 cellos and 4 double basses; in 1824 there were more, it's said.
\tfor (int i = 0; i < count; ++i) { total += weight[i] * value[i]; }  // the sum of products
    if total > limit:\n        return "too much"\n\n
Die Musiker spielen größere Stücke als früher. L'été, les musiciens jouent à la fenêtre. Они играют вместе каждый вечер.
他们一起演奏音乐。音楽を一緒に演奏します。함께 연주합니다。 They're here, we've heard, I'm sure you'll see; don't worry.
The player plays, the players played, playing together is what players like. And then, and then, and then there were none.
"""
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = ["", " ", "a", "Hello, world!", "The players play together.", "  two  spaces  ", "a     b   c", "tab\tand\nlines\n\n\nend", "1234567 + 89", "größere Stücke, l'été", "gro\u0308\u00dfere e\u0301te\u0301 \u1112\u1161\u11ab \u212b \u2126", "音楽を一緒に 함께", "😀 👍🏽 \u0001\u007f", "don't DON'T we'll", "x" * 40, "▁ ▁▁ a▁b", "<0x41> <unk> <s></s>", "the\u00a0players\u3000come", "and then, and then", "if total > limit:\n        return", "<s>a</s> b<s> c", "a <sep> b<sep>c  <sep>  d", "<think>x</think> <think >", "say word, words, sword word.", "<mask> x <mask>y  <mask>", "E\u0301E Ế<ế> e\u0302\u0301 <e\u0302\u0301>"]


def record(path, encode, decode):
    with open(path, "w", encoding="utf-8") as f:
        for text in TEXTS:
            for parse in (False, True):
                ids = encode(text, parse)
                if ids is not None:
                    f.write(json.dumps({"text": text, "ids": ids, "parse_special": parse, "decoded": decode(ids)}, separators=(",", ":")) + "\n")


def save(tokenizer, out, name):
    tokenizer.save(os.path.join(out, name + ".json"), pretty=False)

    def encode(text, parse):
        tokenizer.encode_special_tokens = not parse
        return tokenizer.encode(text, add_special_tokens=True).ids

    record(os.path.join(out, name + ".cases.jsonl"), encode, lambda ids: tokenizer.decode(ids, skip_special_tokens=False))


ADDED = [AddedToken("<sep>", special=True, normalized=False, lstrip=True), AddedToken("<mask>", special=False, normalized=False, rstrip=True),
         AddedToken("<think>", special=False, normalized=False), AddedToken("word", special=False, normalized=False, single_word=True),
         AddedToken("<ế>", special=False, normalized=True)]


def byte_level(out, name, normalizer, stages, template=None, added=(), **model):
    t = Tokenizer(models.BPE(**model))
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Sequence(stages)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=360, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    for token in added:
        (t.add_special_tokens if token.special else t.add_tokens)([token])
    if template:
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single=template, special_tokens=[("<s>", 0), ("</s>", 1)])])
    save(t, out, name)


def sentencepiece_like(out, name, normalizer, pre_tokenizer, decoder):
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator([TEXT.replace("\n", " ")], trainers.BpeTrainer(vocab_size=460, special_tokens=special, limit_alphabet=60, show_progress=False))
    data = json.loads(t.to_str())
    data["added_tokens"] = data["added_tokens"][:3]  # bytes are ordinary tokens of the model
    t = Tokenizer.from_str(json.dumps(data))
    t.pre_tokenizer = pre_tokenizer
    t.decoder = decoder
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    save(t, out, name)


def sentencepiece_model(out, name, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT.split("\n")), model_writer=model, model_type="bpe", character_coverage=0.98, byte_fallback=True, vocab_size=430, normalization_rule_name="identity", minloglevel=2, **options)
    with open(os.path.join(out, name + ".model"), "wb") as f:
        f.write(model.getvalue())
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    record(os.path.join(out, name + ".cases.jsonl"), lambda text, parse: None if parse else [sp.bos_id()] + sp.encode(text), sp.decode)


def main():
    out = sys.argv[1]
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    byte_regex = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    byte_level(out, "llama3_like", None, [split, byte], template="<s> $A", ignore_merges=True)
    byte_level(out, "nfc_added_tokens", normalizers.NFC(), [byte_regex], template="<s> <s> $A </s>", added=ADDED)
    byte_level(out, "digits", None, [pre_tokenizers.Digits(individual_digits=True), byte_regex])
    byte_level(out, "falcon_like", None, [pre_tokenizers.Punctuation("contiguous"), byte_regex, pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    replace = normalizers.Replace(" ", "▁")
    strip = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    sentencepiece_like(out, "llama2_like", normalizers.Sequence([normalizers.Prepend("▁"), replace]), None, strip)
    sentencepiece_like(out, "metaspace_first", None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), strip)
    sentencepiece_like(out, "metaspace_never", None, pre_tokenizers.Metaspace(prepend_scheme="never", split=False), decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]))
    sentencepiece_model(out, "spm", add_dummy_prefix=True, remove_extra_whitespaces=False)
    sentencepiece_model(out, "spm_trimmed", add_dummy_prefix=True, remove_extra_whitespaces=True)
    sentencepiece_model(out, "spm_user_defined", add_dummy_prefix=False, remove_extra_whitespaces=False, user_defined_symbols=["<think>", "▁▁▁", "\t"])


if __name__ == "__main__":
    main()
