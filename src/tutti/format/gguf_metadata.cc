#include "tutti/format/gguf_metadata.h"

#include <limits>

#include "tutti/base/checked_math.h"
#include "tutti/base/utf8.h"

namespace tutti::format {
namespace {

// Key length, one byte of key, type, one byte of value.
constexpr uint64_t kSmallestPair = 8 + 1 + 4 + 1;
constexpr uint64_t kLongestKey = 65535;  // the specification's limit
constexpr std::string_view kVocabPrefix = "tokenizer.ggml.";

class MetadataReader {
 public:
  MetadataReader(GgufCursor& cursor, GgufMetadata* out) : cursor_(cursor), out_(out) {}

  Status ReadPair() {
    const size_t begin = cursor_.offset();
    std::string_view key;
    TUTTI_RETURN_IF_ERROR(cursor_.ReadString(&key, "metadata key"));
    if (key.empty() || key.size() > kLongestKey) {
      return DataError("metadata key at byte {} has {} bytes, 1 to {} are possible", begin,
                       key.size(), kLongestKey);
    }
    if (!IsUtf8(key)) {
      return DataError("metadata key \"{}\" at byte {} is not UTF-8", Printable(key), begin);
    }
    if (out_->values.Has(key) || out_->vocab.contains(key)) {
      return DataError("metadata key {} at byte {} appears twice", Printable(key), begin);
    }
    return ReadValue(key).WithContext("metadata key " + Printable(key));
  }

 private:
  Status ReadValue(std::string_view key) {
    TUTTI_ASSIGN_OR_RETURN(const GgufType type, ReadType());
    if (type == GgufType::kArray) {
      TUTTI_ASSIGN_OR_RETURN(const GgufArray array, ReadArray());
      if (key.starts_with(kVocabPrefix)) {
        out_->vocab.emplace(key, array);
        return Status();
      }
      TUTTI_ASSIGN_OR_RETURN(MetadataValue list, ListOf(array));
      out_->values.Set(std::string(key), std::move(list));
      return Status();
    }
    TUTTI_ASSIGN_OR_RETURN(MetadataValue value, ReadScalar(type));
    out_->values.Set(std::string(key), std::move(value));
    return Status();
  }

  Result<GgufType> ReadType() {
    const size_t begin = cursor_.offset();
    uint32_t type = 0;
    TUTTI_RETURN_IF_ERROR(cursor_.Read(&type, "type of the value"));
    if (type >= kGgufTypeCount) {
      return DataError("unknown value type {} at byte {}", type, begin);
    }
    return static_cast<GgufType>(type);
  }

  template <typename T>
  Result<MetadataValue> ReadInteger() {
    T value = 0;
    TUTTI_RETURN_IF_ERROR(cursor_.Read(&value, "value"));
    if constexpr (std::is_same_v<T, uint64_t>) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return MetadataValue(value);
      }
    }
    return MetadataValue(static_cast<int64_t>(value));
  }

  template <typename T>
  Result<MetadataValue> ReadFloat() {
    T value = 0;
    TUTTI_RETURN_IF_ERROR(cursor_.Read(&value, "value"));
    return MetadataValue(static_cast<double>(value));
  }

  Result<MetadataValue> ReadScalar(GgufType type) {
    switch (type) {
      case GgufType::kU8:
        return ReadInteger<uint8_t>();
      case GgufType::kI8:
        return ReadInteger<int8_t>();
      case GgufType::kU16:
        return ReadInteger<uint16_t>();
      case GgufType::kI16:
        return ReadInteger<int16_t>();
      case GgufType::kU32:
        return ReadInteger<uint32_t>();
      case GgufType::kI32:
        return ReadInteger<int32_t>();
      case GgufType::kU64:
        return ReadInteger<uint64_t>();
      case GgufType::kI64:
        return ReadInteger<int64_t>();
      case GgufType::kF32:
        return ReadFloat<float>();
      case GgufType::kF64:
        return ReadFloat<double>();
      case GgufType::kBool: {
        const size_t begin = cursor_.offset();
        uint8_t value = 0;
        TUTTI_RETURN_IF_ERROR(cursor_.Read(&value, "value"));
        if (value > 1) return DataError("a bool at byte {} is {}, not 0 or 1", begin, value);
        return MetadataValue(value == 1);
      }
      case GgufType::kString: {
        std::string_view value;
        TUTTI_RETURN_IF_ERROR(cursor_.ReadString(&value, "string"));
        TUTTI_RETURN_IF_ERROR(Charge(0, value.size()));
        return MetadataValue(std::string(value));
      }
      case GgufType::kArray:
        break;
    }
    return Error(StatusCode::kInternal, "an array is not a scalar");
  }

  Result<GgufArray> ReadArray() {
    GgufArray array;
    const size_t type_offset = cursor_.offset();
    TUTTI_ASSIGN_OR_RETURN(array.element, ReadType());
    if (array.element == GgufType::kArray) {
      return Unsupported("an array of arrays at byte {} is not supported", type_offset);
    }
    const size_t count_offset = cursor_.offset();
    TUTTI_RETURN_IF_ERROR(cursor_.Read(&array.count, "length of the array"));
    array.offset = cursor_.offset();
    const bool strings = array.element == GgufType::kString;
    const uint64_t smallest = strings ? sizeof(uint64_t) : SizeOf(array.element);
    const auto size = CheckedMul<uint64_t>(array.count, smallest);
    if (!size || *size > cursor_.remaining()) {
      return DataError("an array of {} elements is announced at byte {}, only {} bytes are left",
                       array.count, count_offset, cursor_.remaining());
    }
    TUTTI_RETURN_IF_ERROR(Charge(array.count, 0));
    if (!strings) {
      TUTTI_RETURN_IF_ERROR(cursor_.ReadBytes(*size, &array.bytes, "array"));
    } else {
      GgufCursor begin = cursor_;
      std::string_view skipped;
      for (uint64_t i = 0; i < array.count; ++i) {
        TUTTI_RETURN_IF_ERROR(cursor_.ReadString(&skipped, "string in an array"));
      }
      TUTTI_RETURN_IF_ERROR(
          begin.ReadBytes(cursor_.offset() - array.offset, &array.bytes, "array"));
    }
    TUTTI_RETURN_IF_ERROR(Charge(0, array.bytes.size()));
    return array;
  }

  Status Charge(uint64_t elements, uint64_t bytes) {
    elements_ += elements;  // each at most what the file holds: cannot wrap
    bytes_ += bytes;
    if (elements_ > kMaxMetadataElements || bytes_ > kMaxMetadataBytes) {
      return Error(StatusCode::kResource,
                   "the metadata has more than {} array elements or {} bytes at byte {}",
                   kMaxMetadataElements, kMaxMetadataBytes, cursor_.offset());
    }
    return Status();
  }

  GgufCursor& cursor_;
  GgufMetadata* out_;
  uint64_t elements_ = 0;
  uint64_t bytes_ = 0;
};

// The elements of `array`, stored as T, converted to Out.
template <typename T, typename Out>
std::vector<Out> Convert(const GgufArray& array) {
  std::vector<Out> list;
  list.reserve(array.count);
  for (uint64_t i = 0; i < array.count; ++i) {
    T value;
    std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
    list.push_back(static_cast<Out>(value));
  }
  return list;
}

Result<MetadataValue> UnsignedList(const GgufArray& array) {
  std::vector<int64_t> list = Convert<int64_t, int64_t>(array);
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] < 0) {
      return Unsupported("a list element above 2^63 - 1 at byte {} is not supported",
                         array.offset + i * sizeof(uint64_t));
    }
  }
  return MetadataValue(std::move(list));
}

Result<MetadataValue> BoolList(const GgufArray& array) {
  for (size_t i = 0; i < array.bytes.size(); ++i) {
    if (array.bytes[i] > std::byte{1}) {
      return DataError("a bool at byte {} is {}, not 0 or 1", array.offset + i,
                       static_cast<int>(array.bytes[i]));
    }
  }
  return MetadataValue(Convert<uint8_t, bool>(array));
}

}  // namespace

Status ReadGgufMetadata(GgufCursor& cursor, uint64_t count, GgufMetadata* out) {
  if (count > cursor.remaining() / kSmallestPair) {
    return DataError("{} metadata keys are announced, but only {} bytes follow", count,
                     cursor.remaining());
  }
  if (count > kMaxMetadataKeys) {
    return Error(StatusCode::kResource, "{} metadata keys, at most {} are read", count,
                 kMaxMetadataKeys);
  }
  MetadataReader reader(cursor, out);
  for (uint64_t i = 0; i < count; ++i) TUTTI_RETURN_IF_ERROR(reader.ReadPair());
  return Status();
}

Result<MetadataValue> ListOf(const GgufArray& array) {
  switch (array.element) {
    case GgufType::kU8:
      return MetadataValue(Convert<uint8_t, int64_t>(array));
    case GgufType::kI8:
      return MetadataValue(Convert<int8_t, int64_t>(array));
    case GgufType::kU16:
      return MetadataValue(Convert<uint16_t, int64_t>(array));
    case GgufType::kI16:
      return MetadataValue(Convert<int16_t, int64_t>(array));
    case GgufType::kU32:
      return MetadataValue(Convert<uint32_t, int64_t>(array));
    case GgufType::kI32:
      return MetadataValue(Convert<int32_t, int64_t>(array));
    case GgufType::kI64:
      return MetadataValue(Convert<int64_t, int64_t>(array));
    case GgufType::kF32:
      return MetadataValue(Convert<float, double>(array));
    case GgufType::kF64:
      return MetadataValue(Convert<double, double>(array));
    case GgufType::kU64:
      return UnsignedList(array);
    case GgufType::kBool:
      return BoolList(array);
    case GgufType::kString: {
      std::vector<std::string> list;
      list.reserve(array.count);
      array.ForEachString([&](std::string_view text) { list.emplace_back(text); });
      return MetadataValue(std::move(list));
    }
    case GgufType::kArray:
      break;
  }
  return Error(StatusCode::kInternal, "arrays of arrays are refused earlier");
}

}  // namespace tutti::format
