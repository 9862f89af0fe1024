#include "tutti/format/gguf_writer.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "tutti/base/checked_math.h"
#include "tutti/format/gguf_types.h"
#include "tutti/os/file.h"

namespace tutti::format {
namespace {

constexpr uint32_t kVersion = 3;
constexpr size_t kLongestName = 63;  // ggml keeps names in 64 bytes, the last one zero
constexpr std::string_view kZeros(
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", kGgufDefaultAlignment);

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
constexpr GgufType TypeOf() {
  if constexpr (std::is_same_v<T, uint8_t>) return GgufType::kU8;
  if constexpr (std::is_same_v<T, int8_t>) return GgufType::kI8;
  if constexpr (std::is_same_v<T, uint16_t>) return GgufType::kU16;
  if constexpr (std::is_same_v<T, int16_t>) return GgufType::kI16;
  if constexpr (std::is_same_v<T, uint32_t>) return GgufType::kU32;
  if constexpr (std::is_same_v<T, int32_t>) return GgufType::kI32;
  if constexpr (std::is_same_v<T, float>) return GgufType::kF32;
  if constexpr (std::is_same_v<T, bool>) return GgufType::kBool;
  if constexpr (std::is_same_v<T, std::string>) return GgufType::kString;
  if constexpr (std::is_same_v<T, uint64_t>) return GgufType::kU64;
  if constexpr (std::is_same_v<T, int64_t>) return GgufType::kI64;
  if constexpr (std::is_same_v<T, double>) return GgufType::kF64;
  return GgufType::kArray;
}

template <typename T>
void PutNumber(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutString(std::string& out, std::string_view text) {
  PutNumber<uint64_t>(out, text.size());
  out += text;
}

template <typename T>
void PutElement(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    PutString(out, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    PutNumber<uint8_t>(out, value ? 1 : 0);
  } else {
    PutNumber(out, value);
  }
}

void PutValue(std::string& out, const GgufValue& value) {
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        PutNumber(out, static_cast<uint32_t>(TypeOf<T>()));
        if constexpr (IsVector<T>::value) {
          using Element = typename T::value_type;
          PutNumber(out, static_cast<uint32_t>(TypeOf<Element>()));
          PutNumber<uint64_t>(out, held.size());
          for (const Element& element : held) PutElement<Element>(out, element);
        } else {
          PutElement<T>(out, held);
        }
      },
      value);
}

template <typename Narrow, typename Wide>
bool Fits(Wide value) {
  return std::cmp_greater_equal(value, std::numeric_limits<Narrow>::min()) &&
         std::cmp_less_equal(value, std::numeric_limits<Narrow>::max());
}

bool IsFloat32(double value) {
  // NaN and infinities are narrowed, too; a finite value too large for float32 stays a double.
  if (value != value || value - value != 0) return true;
  if (value > std::numeric_limits<float>::max() || value < std::numeric_limits<float>::lowest()) {
    return false;
  }
  return static_cast<double>(static_cast<float>(value)) == value;
}

template <typename Narrow, typename Wide>
std::vector<Narrow> Narrowed(const std::vector<Wide>& list) {
  std::vector<Narrow> out;
  out.reserve(list.size());
  for (const Wide value : list) out.push_back(static_cast<Narrow>(value));
  return out;
}

GgufValue ValueOf(bool value) { return value; }
GgufValue ValueOf(const std::string& value) { return value; }
GgufValue ValueOf(const std::vector<bool>& value) { return value; }
GgufValue ValueOf(const std::vector<std::string>& value) { return value; }
GgufValue ValueOf(uint64_t value) {
  if (Fits<uint32_t>(value)) return static_cast<uint32_t>(value);
  return value;
}
GgufValue ValueOf(int64_t value) {
  if (Fits<uint32_t>(value)) return static_cast<uint32_t>(value);
  if (Fits<int32_t>(value)) return static_cast<int32_t>(value);
  return value;
}
GgufValue ValueOf(double value) {
  if (IsFloat32(value)) return static_cast<float>(value);
  return value;
}
GgufValue ValueOf(const std::vector<int64_t>& value) {
  if (std::all_of(value.begin(), value.end(), Fits<int32_t, int64_t>)) {
    return Narrowed<int32_t>(value);
  }
  return value;
}
GgufValue ValueOf(const std::vector<double>& value) {
  if (std::all_of(value.begin(), value.end(), IsFloat32)) return Narrowed<float>(value);
  return value;
}

// The bytes of a tensor; kUsage where no GGUF tensor can have this type and shape.
Result<uint64_t> SizeOf(DType dtype, const tensor::Shape& shape) {
  const DTypeInfo& info = InfoOf(dtype);
  if (info.ggml_type_id < 0) return Unsupported("GGUF has no type for {}", info.name);
  if (shape.rank < 1 || shape.rank > tensor::kMaxDims) {
    return UsageError("{} dimensions, 1 to {} are possible", shape.rank, tensor::kMaxDims);
  }
  uint64_t elements = 1;
  for (int i = 0; i < shape.rank; ++i) {
    const auto product = CheckedMul(elements, static_cast<uint64_t>(shape[i]));
    if (shape[i] < 1 || !product) return UsageError("shape {} is impossible", shape.ToString());
    elements = *product;
  }
  if (shape[shape.rank - 1] % info.block_size != 0) {
    return UsageError("rows of {} values are not whole blocks of {} ({})", shape[shape.rank - 1],
                      info.block_size, info.name);
  }
  const auto size = CheckedMul<uint64_t>(elements / static_cast<uint64_t>(info.block_size),
                                         static_cast<uint64_t>(info.block_bytes));
  if (!size || *size > std::numeric_limits<int64_t>::max()) {
    return UsageError("shape {} is impossible", shape.ToString());
  }
  return *size;
}

uint64_t Aligned(uint64_t size) { return RoundUp<uint64_t>(size, kGgufDefaultAlignment); }

}  // namespace

GgufValue GgufValueOf(const MetadataValue& value) {
  return std::visit([](const auto& held) { return ValueOf(held); }, value);
}

void GgufWriter::Set(std::string_view key, GgufValue value) {
  TUTTI_CHECK(!key.empty() && key != kGgufAlignmentKey, "not a key for callers");
  const auto it = std::find_if(values_.begin(), values_.end(),
                               [&](const auto& entry) { return entry.first == key; });
  if (it != values_.end()) {
    it->second = std::move(value);
  } else {
    values_.emplace_back(key, std::move(value));
  }
}

Status GgufWriter::AddTensor(std::string_view name, DType dtype, const tensor::Shape& shape,
                             std::span<const std::byte> bytes) {
  TUTTI_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(dtype, shape));
  if (size != bytes.size()) {
    return UsageError("tensor {}: {} bytes given, {} of {} has {}", name, bytes.size(),
                      shape.ToString(), NameOf(dtype), size);
  }
  return AddTensor(name, dtype, shape, [bytes](const Append& append) {
    return append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
}

Status GgufWriter::AddTensor(std::string_view name, DType dtype, const tensor::Shape& shape,
                             Producer producer) {
  if (name.empty() || name.size() > kLongestName) {
    return UsageError("tensor name \"{}\" has {} bytes, 1 to {} are possible", name, name.size(),
                      kLongestName);
  }
  const Result<uint64_t> size = SizeOf(dtype, shape);
  if (!size.ok()) return size.status().WithContext(fmt::format("tensor {}", name));
  if (!names_.emplace(name).second) return UsageError("tensor {} was added before", name);
  tensors_.push_back({std::string(name), dtype, shape, *size, std::move(producer)});
  return Status();
}

std::string GgufWriter::Header() const {
  std::string out;
  PutNumber(out, kGgufMagic);
  PutNumber(out, kVersion);
  PutNumber<uint64_t>(out, tensors_.size());
  PutNumber<uint64_t>(out, values_.size());
  for (const auto& [key, value] : values_) {
    PutString(out, key);
    PutValue(out, value);
  }
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    PutString(out, tensor.name);
    PutNumber(out, static_cast<uint32_t>(tensor.shape.rank));
    for (int i = tensor.shape.rank; i-- > 0;) PutNumber<int64_t>(out, tensor.shape[i]);
    PutNumber(out, static_cast<uint32_t>(InfoOf(tensor.dtype).ggml_type_id));
    PutNumber(out, offset);
    offset += Aligned(tensor.size_bytes);
  }
  out.resize(Aligned(out.size()));
  return out;
}

Status GgufWriter::Emit(const Append& append) const {
  TUTTI_RETURN_IF_ERROR(append(Header()));
  for (const Tensor& tensor : tensors_) {
    uint64_t written = 0;
    const auto counted = [&](std::string_view bytes) {
      written += bytes.size();
      return append(bytes);
    };
    TUTTI_RETURN_IF_ERROR(tensor.producer(counted).WithContext("tensor " + tensor.name));
    if (written != tensor.size_bytes) {
      return UsageError("tensor {}: {} bytes were produced, {} of {} has {}", tensor.name, written,
                        tensor.shape.ToString(), NameOf(tensor.dtype), tensor.size_bytes);
    }
    TUTTI_RETURN_IF_ERROR(append(kZeros.substr(0, Aligned(written) - written)));
  }
  return Status();
}

uint64_t GgufWriter::SizeBytes() const {
  uint64_t size = Header().size();
  for (const Tensor& tensor : tensors_) size += Aligned(tensor.size_bytes);
  return size;
}

Status GgufWriter::Write(const std::filesystem::path& path) const {
  TUTTI_RETURN_IF_ERROR(os::CheckRoom(path, SizeBytes()));
  TUTTI_ASSIGN_OR_RETURN(os::FileWriter file, os::FileWriter::Create(path));
  TUTTI_RETURN_IF_ERROR(Emit([&](std::string_view bytes) { return file.Append(bytes); }));
  return file.Commit();
}

Result<std::string> GgufWriter::ToBytes() const {
  std::string out;
  TUTTI_RETURN_IF_ERROR(Emit([&](std::string_view bytes) {
    out += bytes;
    return Status();
  }));
  return out;
}

}  // namespace tutti::format
