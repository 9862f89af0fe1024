// A small GGUF model with every kind of value and several tensor types, made by our writer: what
// the format tests take apart, the fuzzer starts from and tests/interop/check_gguf.py reads. The
// numbers are repeated there.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "tutti/format/gguf_vocab.h"
#include "tutti/format/gguf_writer.h"

namespace tutti::testing {

// Byte i is (37 i + 11 seed) mod 256.
inline std::string ExampleBytes(size_t size, size_t seed) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(static_cast<uint8_t>(37 * i + 11 * seed));
  }
  return bytes;
}

struct ExampleTensor {
  const char* name;
  DType dtype;
  tensor::Shape shape;
};

// Tensor k holds ExampleBytes(its size, k). The sizes leave padding behind most of them.
inline std::vector<ExampleTensor> ExampleTensors() {
  return {
      {"f32.weight", DType::kF32, {{3, 5}, 2}},
      {"f16.weight", DType::kF16, {{7}, 1}},
      {"bf16.weight", DType::kBF16, {{2, 3, 4}, 3}},
      {"q8_0.weight", DType::kQ8_0, {{3, 64}, 2}},
      {"q4_k.weight", DType::kQ4_K, {{2, 256}, 2}},
      {"iq4_nl.weight", DType::kIQ4_NL, {{32}, 1}},
      {"mxfp4.weight", DType::kMXFP4, {{2, 2, 32}, 3}},
      {"i32.weight", DType::kI32, {{1, 1, 2, 3}, 4}},
      {"f64.weight", DType::kF64, {{1}, 1}},
      {"i8.weight", DType::kI8, {{9}, 1}},
  };
}

inline VocabSpec ExampleVocab() {
  VocabSpec vocab;
  vocab.pretokenizer = "qwen2";
  vocab.tokens = {"<|end of text|>",
                  "a",
                  "b",
                  "\xC4\xA0",
                  "ab",
                  "\xC4\xA0"
                  "a",
                  "<|im_end|>",
                  "<added>"};
  vocab.kinds.assign(vocab.tokens.size(), TokenKind::kNormal);
  vocab.kinds[0] = vocab.kinds[6] = TokenKind::kControl;
  vocab.kinds[7] = TokenKind::kUserDefined;
  vocab.merges = {{"a", "b"}, {"\xC4\xA0", "a"}};
  vocab.bos = 0;
  vocab.eos = 0;
  vocab.padding = 7;
  vocab.end_of_generation = {0, 6};
  vocab.chat_template = "{{ messages }}\n";
  return vocab;
}

inline Status SetExampleValues(format::GgufWriter& writer) {
  writer.Set("general.architecture", std::string("example"));
  writer.Set("example.u8", uint8_t{255});
  writer.Set("example.i8", int8_t{-128});
  writer.Set("example.u16", uint16_t{65535});
  writer.Set("example.i16", int16_t{-32768});
  writer.Set("example.u32", uint32_t{4294967295});
  writer.Set("example.i32", int32_t{-2147483647 - 1});
  writer.Set("example.f32", 0.1f);
  writer.Set("example.bool", true);
  writer.Set("example.string", std::string("tutti: \xE2\x99\xAB\n"));
  writer.Set("example.u64", std::numeric_limits<uint64_t>::max());
  writer.Set("example.i64", std::numeric_limits<int64_t>::min());
  writer.Set("example.f64", 0.1);
  writer.Set("example.list.u8", std::vector<uint8_t>{0, 255});
  writer.Set("example.list.i8", std::vector<int8_t>{-128, 127});
  writer.Set("example.list.u16", std::vector<uint16_t>{0, 65535});
  writer.Set("example.list.i16", std::vector<int16_t>{-32768, 32767});
  writer.Set("example.list.u32", std::vector<uint32_t>{0, 4294967295});
  writer.Set("example.list.i32", std::vector<int32_t>{-1, 2147483647});
  writer.Set("example.list.f32", std::vector<float>{0.5f, -0.1f});
  writer.Set("example.list.bool", std::vector<bool>{true, false, true});
  writer.Set("example.list.string", std::vector<std::string>{"", "two", "\xE2\x99\xAB"});
  writer.Set("example.list.u64", std::vector<uint64_t>{0, 1ull << 62});
  writer.Set("example.list.i64", std::vector<int64_t>{-1, 1ll << 62});
  writer.Set("example.list.f64", std::vector<double>{0.1, -1e300});
  return format::SetGgufVocab(ExampleVocab(), writer);
}

inline Result<format::GgufWriter> ExampleGguf() {
  format::GgufWriter writer;
  TUTTI_RETURN_IF_ERROR(SetExampleValues(writer));
  size_t seed = 0;
  for (const ExampleTensor& tensor : ExampleTensors()) {
    const DTypeInfo& info = InfoOf(tensor.dtype);
    const auto size =
        static_cast<size_t>(tensor.shape.elements() / info.block_size * info.block_bytes);
    // In two pieces, as a producer that streams would.
    const auto produce = [size, seed](const format::GgufWriter::Append& append) -> Status {
      const std::string bytes = ExampleBytes(size, seed);
      TUTTI_RETURN_IF_ERROR(append(std::string_view(bytes).substr(0, size / 2)));
      return append(std::string_view(bytes).substr(size / 2));
    };
    TUTTI_RETURN_IF_ERROR(writer.AddTensor(tensor.name, tensor.dtype, tensor.shape, produce));
    ++seed;
  }
  return writer;
}

}  // namespace tutti::testing
