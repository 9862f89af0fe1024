#include "tutti/engine/fingerprint.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tutti/kernels/cpu_features.h"
#include "tutti/memory/prefix_file.h"

namespace tutti::engine {
namespace {

// Places of 64 bytes of the weights, in all: each may cost a read from the disk.
constexpr size_t kSamples = 512;
constexpr size_t kSampleBytes = 64;

class Hash {
 public:
  void Add(std::span<const std::byte> bytes) {
    const uint64_t both[] = {value_, memory::PrefixChecksum(bytes)};
    value_ = memory::PrefixChecksum(std::as_bytes(std::span(both)));
  }
  void Add(std::string_view text) { Add(std::as_bytes(std::span(text))); }
  void Add(const std::string& text) { Add(std::string_view(text)); }
  template <typename T>
  requires std::is_arithmetic_v<T>
  void Add(T value) { Add(std::as_bytes(std::span(&value, 1))); }
  template <typename T>
  void Add(const std::vector<T>& values) {
    Add(values.size());
    for (const auto& value : values) Add(static_cast<T>(value));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace

uint64_t Fingerprint(const format::Checkpoint& checkpoint, KvType kv_type, bool exact) {
  Hash hash;
  hash.Add(KvTypeName(kv_type));
  hash.Add(exact);
  for (const auto& [operation, instruction_set] : kernels::KernelChoices()) {
    hash.Add(operation);
    hash.Add(instruction_set);
  }
  for (const auto& [key, value] : checkpoint.metadata.values()) {
    hash.Add(key);
    std::visit([&](const auto& held) { hash.Add(held); }, value);
  }
  const size_t every = checkpoint.tensors.size() / kSamples + 1;
  const size_t places =
      std::max<size_t>(1, kSamples / std::max<size_t>(1, checkpoint.tensors.size()));
  size_t index = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    hash.Add(name);
    hash.Add(static_cast<int>(tensor.dtype));
    for (const int64_t dim : tensor.shape.dims) hash.Add(dim);
    if (index++ % every != 0) continue;
    const std::span<const std::byte> bytes(tensor.data, tensor.size_bytes);
    for (size_t i = 1; i <= places; ++i) {
      const size_t at = bytes.size() / (places + 1) * i;
      hash.Add(bytes.subspan(at, std::min(kSampleBytes, bytes.size() - at)));
    }
  }
  return hash.value();
}

}  // namespace tutti::engine
