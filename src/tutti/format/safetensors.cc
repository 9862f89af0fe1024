#include "tutti/format/safetensors.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/base/json.h"
#include "tutti/base/printable.h"
#include "tutti/os/file.h"

namespace tutti::format {
namespace {

namespace json = boost::json;

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr uint64_t kLengthBytes = 8;

uint64_t LoadLittleEndian(const std::byte* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<uint64_t>(bytes[i]);
  return value;
}

// One entry of the header, understood but not yet compared with the others.
struct Entry {
  std::string name;
  tensor::TensorView view;
  uint64_t begin = 0;  // relative to the data
};

Result<uint64_t> Natural(const json::value& value, std::string_view what) {
  if (const uint64_t* u = value.if_uint64()) return *u;
  if (const int64_t* i = value.if_int64(); i != nullptr && *i >= 0)
    return static_cast<uint64_t>(*i);
  if (value.is_int64()) return DataError("{} is negative: {}", what, value.get_int64());
  return DataError("{} is {}, a whole number expected", what, KindOf(value));
}

Result<const json::value*> Field(const json::object& entry, std::string_view key) {
  const json::value* value = entry.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return DataError("\"{}\" is missing", key);
  return value;
}

Result<DType> ParseDType(const json::object& entry) {
  TUTTI_ASSIGN_OR_RETURN(const json::value* value, Field(entry, "dtype"));
  if (!value->is_string()) return DataError("dtype is {}, a string expected", KindOf(*value));
  const std::string_view name = View(value->get_string());
  const auto dtype = DTypeFromName(name);
  // The table also has the block formats of GGUF, which mean nothing here.
  if (!dtype || InfoOf(*dtype).block_size != 1) {
    return Unsupported("dtype {} is not supported yet", Printable(name));
  }
  return *dtype;
}

Result<tensor::Shape> ParseShape(const json::object& entry) {
  TUTTI_ASSIGN_OR_RETURN(const json::value* value, Field(entry, "shape"));
  if (!value->is_array()) return DataError("shape is {}, a list expected", KindOf(*value));
  const json::array& list = value->get_array();
  if (list.size() > tensor::kMaxDims) {
    return Unsupported("{} dimensions are not supported yet, at most {} are", list.size(),
                       tensor::kMaxDims);
  }
  tensor::Shape shape;
  for (const json::value& dim : list) {
    TUTTI_ASSIGN_OR_RETURN(const uint64_t size, Natural(dim, "a dimension of the shape"));
    if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return DataError("a dimension of {} is not possible", size);
    }
    shape.dims[static_cast<size_t>(shape.rank++)] = static_cast<int64_t>(size);
  }
  return shape;
}

// The bytes that the shape asks for; no value where the product overflows. A zero among the
// dimensions does not excuse the others: Shape::elements() multiplies them in order.
std::optional<uint64_t> BytesOf(DType dtype, const tensor::Shape& shape) {
  std::optional<int64_t> product = InfoOf(dtype).block_bytes;
  for (int i = 0; i < shape.rank && product; ++i) product = CheckedMul(*product, shape[i]);
  if (!product) return std::nullopt;
  return static_cast<uint64_t>(*product);
}

Result<Entry> ParseEntry(std::string_view name, const json::value& value,
                         std::span<const std::byte> data) {
  if (!value.is_object()) return DataError("{} where an object is expected", KindOf(value));
  const json::object& object = value.get_object();
  Entry entry;
  entry.name = name;
  TUTTI_ASSIGN_OR_RETURN(entry.view.dtype, ParseDType(object));
  TUTTI_ASSIGN_OR_RETURN(entry.view.shape, ParseShape(object));
  TUTTI_ASSIGN_OR_RETURN(const json::value* offsets, Field(object, "data_offsets"));
  if (!offsets->is_array() || offsets->get_array().size() != 2) {
    return DataError("data_offsets is not a list of two numbers");
  }
  TUTTI_ASSIGN_OR_RETURN(const uint64_t begin,
                         Natural(offsets->get_array()[0], "the first offset"));
  TUTTI_ASSIGN_OR_RETURN(const uint64_t end, Natural(offsets->get_array()[1], "the second offset"));
  if (begin > end) return DataError("data_offsets [{}, {}] are reversed", begin, end);
  if (end > data.size()) {
    return DataError("data_offsets [{}, {}] reach beyond the file, which has {} bytes of data",
                     begin, end, data.size());
  }
  const std::optional<uint64_t> needed = BytesOf(entry.view.dtype, entry.view.shape);
  if (!needed) return DataError("the shape {} overflows", entry.view.shape.ToString());
  if (*needed != end - begin) {
    return DataError("{} {} takes {} bytes, but data_offsets [{}, {}] hold {}",
                     NameOf(entry.view.dtype), entry.view.shape.ToString(), *needed, begin, end,
                     end - begin);
  }
  entry.begin = begin;
  entry.view.data = data.data() + begin;
  entry.view.size_bytes = static_cast<size_t>(end - begin);
  return entry;
}

Status ParseMetadata(const json::value& value, Safetensors& file) {
  if (!value.is_object())
    return DataError("{} is {}, an object expected", kMetadataKey, KindOf(value));
  for (const auto& [key, text] : value.get_object()) {
    if (!text.is_string()) {
      return DataError("{}.{} is {}, a string expected", kMetadataKey, Printable(View(key)),
                       KindOf(text));
    }
    file.metadata.emplace(View(key), View(text.get_string()));
  }
  return Status();
}

Status CheckCoverage(std::vector<Entry>& entries, uint64_t data_bytes) {
  // Empty tensors share their offset with the neighbour, so the size decides among equals.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.view.size_bytes) < std::pair(b.begin, b.view.size_bytes);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin < covered) {
      return DataError("tensor {}: its bytes overlap with those of another tensor",
                       Printable(entry.name));
    }
    if (entry.begin > covered) {
      return DataError("tensor {}: the {} bytes before it belong to no tensor",
                       Printable(entry.name), entry.begin - covered);
    }
    covered += entry.view.size_bytes;
  }
  if (covered != data_bytes) {
    return DataError("the last {} bytes belong to no tensor", data_bytes - covered);
  }
  return Status();
}

Result<Safetensors> ParseHeader(const json::value& header, std::span<const std::byte> data) {
  if (!header.is_object()) return DataError("the header is {}, an object expected", KindOf(header));
  Safetensors file;
  std::vector<Entry> entries;
  for (const auto& [key, value] : header.get_object()) {
    if (View(key) == kMetadataKey) {
      TUTTI_RETURN_IF_ERROR(ParseMetadata(value, file));
      continue;
    }
    auto entry = ParseEntry(View(key), value, data);
    if (!entry.ok()) {
      return entry.status().WithContext(fmt::format("tensor {}", Printable(View(key))));
    }
    entries.push_back(std::move(entry).value());
  }
  TUTTI_RETURN_IF_ERROR(CheckCoverage(entries, data.size()));
  for (Entry& entry : entries) file.tensors.emplace(std::move(entry.name), entry.view);
  return file;
}

}  // namespace

Result<Safetensors> OpenSafetensorsBytes(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.size() < kLengthBytes) {
    return DataError("{}: {} bytes are too few for a safetensors file", name, bytes.size());
  }
  const uint64_t header_bytes = LoadLittleEndian(bytes.data());
  if (header_bytes > bytes.size() - kLengthBytes) {
    return DataError("{}: the header's length is {}, but only {} bytes follow", name, header_bytes,
                     bytes.size() - kLengthBytes);
  }
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    return DataError("{}: a header of {} bytes is beyond the limit of {}", name, header_bytes,
                     kMaxSafetensorsHeaderBytes);
  }
  const auto text = bytes.subspan(kLengthBytes, static_cast<size_t>(header_bytes));
  const auto data = bytes.subspan(kLengthBytes + static_cast<size_t>(header_bytes));
  const auto header =
      ParseJson({reinterpret_cast<const char*>(text.data()), text.size()}, {.unique_keys = true});
  if (!header.ok()) return header.status().WithContext(fmt::format("{}: header", name));
  auto file = ParseHeader(*header, data);
  if (!file.ok()) return file.status().WithContext(name);
  return file;
}

std::string SafetensorsHeader(const tensor::TensorMap& tensors,
                              const std::map<std::string, std::string, std::less<>>& metadata) {
  json::object header;
  if (!metadata.empty()) {
    json::object& object = header[kMetadataKey].emplace_object();
    for (const auto& [key, value] : metadata) object[key] = value;
  }
  uint64_t offset = 0;
  for (const auto& [name, view] : tensors) {
    TUTTI_CHECK(InfoOf(view.dtype).block_size == 1, "safetensors holds plain numbers only");
    TUTTI_CHECK(BytesOf(view.dtype, view.shape) == view.size_bytes, "shape and size disagree");
    json::array shape;
    for (int i = 0; i < view.shape.rank; ++i) shape.push_back(view.shape[i]);
    header[name] = {{"dtype", NameOf(view.dtype)},
                    {"shape", std::move(shape)},
                    {"data_offsets", {offset, offset + view.size_bytes}}};
    offset += view.size_bytes;
  }
  std::string text = json::serialize(header);
  text.resize(RoundUp<size_t>(text.size(), 8), ' ');
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return length + text;
}

Status WriteSafetensors(const std::filesystem::path& path, const tensor::TensorMap& tensors,
                        const std::map<std::string, std::string, std::less<>>& metadata) {
  TUTTI_ASSIGN_OR_RETURN(os::FileWriter file, os::FileWriter::Create(path));
  TUTTI_RETURN_IF_ERROR(file.Append(SafetensorsHeader(tensors, metadata)));
  for (const auto& [name, view] : tensors) {
    TUTTI_RETURN_IF_ERROR(file.Append({reinterpret_cast<const char*>(view.data), view.size_bytes}));
  }
  return file.Commit();
}

}  // namespace tutti::format
