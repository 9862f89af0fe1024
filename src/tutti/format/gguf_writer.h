// Writes GGUF version 3 files, alignment 32.
//
//   GgufWriter writer;
//   writer.Set("general.architecture", std::string("llama"));
//   writer.Set("llama.block_count", uint32_t{2});
//   TUTTI_RETURN_IF_ERROR(writer.AddTensor("token_embd.weight", DType::kF32, shape, bytes));
//   TUTTI_RETURN_IF_ERROR(writer.Write(path));
//
// Keys and tensors stand in the file in the order in which they were first set. Names, shapes and
// sizes are checked when a tensor is added, so that other readers take the file: at most 63 bytes
// of name and four dimensions. Tensor bytes may come from a callback: a model need not be in
// memory. Writing is atomic: another reader sees the old file or the whole new one, and after an
// error nothing is left; a disk without the room for the file is refused before anything is
// written. One thread. Errors: kUsage (a bad tensor), kUnsupported (a
// type GGUF does not have), kIo.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/spec/metadata.h"
#include "tutti/tensor/view.h"

namespace tutti::format {

// Every kind of value GGUF has, but for arrays of arrays.
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, uint64_t, int64_t, double, std::vector<uint8_t>,
                               std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                               std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>,
                               std::vector<bool>, std::vector<std::string>, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>>;

// Metadata does not remember how wide its numbers were: this takes uint32, int32 and float32, as
// converters do, wherever the value fits, and the 64-bit kind elsewhere.
GgufValue GgufValueOf(const MetadataValue& value);

class GgufWriter {
 public:
  // Takes the next bytes of the file or of a tensor.
  using Append = std::function<Status(std::string_view bytes)>;
  // Appends all bytes of one tensor, in as many pieces as it likes.
  using Producer = std::function<Status(const Append& append)>;

  // Replaces the value where the key was set before. general.alignment is not for callers.
  void Set(std::string_view key, GgufValue value);

  // `bytes` stay the caller's until the file is written.
  Status AddTensor(std::string_view name, DType dtype, const tensor::Shape& shape,
                   std::span<const std::byte> bytes);
  Status AddTensor(std::string_view name, DType dtype, const tensor::Shape& shape,
                   Producer producer);

  Status Write(const std::filesystem::path& path) const;
  // The file as bytes, for small ones.
  Result<std::string> ToBytes() const;

 private:
  struct Tensor {
    std::string name;
    DType dtype;
    tensor::Shape shape;
    uint64_t size_bytes;
    Producer producer;
  };
  std::string Header() const;
  uint64_t SizeBytes() const;
  Status Emit(const Append& append) const;

  std::vector<std::pair<std::string, GgufValue>> values_;
  std::vector<Tensor> tensors_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace tutti::format
