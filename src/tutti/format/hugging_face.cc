#include "tutti/format/hugging_face.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tutti/base/json.h"
#include "tutti/base/printable.h"
#include "tutti/format/safetensors.h"
#include "tutti/os/file.h"
#include "tutti/os/mmap.h"

namespace tutti::format {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
// The largest published index (200,000 tensors) has 25 MB.
constexpr size_t kMaxIndexBytes = size_t{256} << 20;

std::optional<MetadataValue> Scalar(const json::value& value) {
  switch (value.kind()) {
    case json::kind::bool_:
      return value.get_bool();
    case json::kind::int64:
      return value.get_int64();
    case json::kind::uint64:
      return value.get_uint64();
    case json::kind::double_:
      return value.get_double();
    case json::kind::string:
      return std::string(View(value.get_string()));
    default:
      return std::nullopt;
  }
}

template <typename T, typename Convert>
std::vector<T> ListOf(const json::array& array, const Convert& convert) {
  std::vector<T> list;
  list.reserve(array.size());
  for (const json::value& value : array) list.push_back(convert(value));
  return list;
}

// The list, where all members are of one kind: bool, whole number, number or string.
std::optional<MetadataValue> ScalarList(const json::array& array) {
  const auto all = [&](auto predicate) {
    for (const json::value& value : array) {
      if (!predicate(value)) return false;
    }
    return true;
  };
  if (all([](const json::value& v) { return v.is_int64(); })) {  // the empty list too
    return ListOf<int64_t>(array, [](const json::value& v) { return v.get_int64(); });
  }
  if (all([](const json::value& v) { return v.is_number(); })) {
    return ListOf<double>(array, [](const json::value& v) { return v.to_number<double>(); });
  }
  if (all([](const json::value& v) { return v.is_bool(); })) {
    return ListOf<bool>(array, [](const json::value& v) { return v.get_bool(); });
  }
  if (all([](const json::value& v) { return v.is_string(); })) {
    return ListOf<std::string>(
        array, [](const json::value& v) { return std::string(View(v.get_string())); });
  }
  return std::nullopt;
}

// The longest keys of published models have some 80 bytes.
constexpr size_t kMaxKeyBytes = 1024;
// What a leaf takes beside its key and value.
constexpr size_t kLeafBytes = 128;

// Every leaf stores its whole key, so long names above many leaves would multiply a small file's
// size: the leaves share the memory that the text may take.
class Flattener {
 public:
  Flattener(size_t limit_bytes, Metadata& metadata)
      : limit_bytes_(limit_bytes), left_bytes_(limit_bytes), metadata_(metadata) {}

  // Recursion ends at the depth that the parser has enforced.
  Status Add(const json::value& value, const std::string& key) {
    if (key.size() > kMaxKeyBytes) {
      return DataError("a key has {} bytes with its parents', at most {} are possible: {}",
                       key.size(), kMaxKeyBytes, Printable(key.substr(0, 60)));
    }
    TUTTI_RETURN_IF_ERROR(Charge(value, key));
    std::optional<MetadataValue> flat = Scalar(value);
    if (!flat && value.is_array()) flat = ScalarList(value.get_array());
    if (flat) {
      if (metadata_.Has(key)) return DataError("the key {} appears twice", Printable(key));
      metadata_.Set(key, *std::move(flat));
    } else if (value.is_object()) {
      const std::string prefix = key.empty() || key.back() == '.' ? key : key + ".";
      for (const auto& [name, member] : value.get_object()) {
        TUTTI_RETURN_IF_ERROR(Add(member, prefix + std::string(View(name))));
      }
    } else if (value.is_array()) {
      for (size_t i = 0; i < value.get_array().size(); ++i) {
        TUTTI_RETURN_IF_ERROR(Add(value.get_array()[i], fmt::format("{}.{}", key, i)));
      }
    }
    return Status();  // null is absent
  }

 private:
  Status Charge(const json::value& value, const std::string& key) {
    size_t bytes = kLeafBytes + key.size();
    if (value.is_array()) bytes += value.get_array().size() * sizeof(std::string);
    if (bytes > left_bytes_) {
      return DataError("the keys with their parents' take more than {} bytes of memory; reached {}",
                       limit_bytes_, Printable(key.substr(0, 60)));
    }
    left_bytes_ -= bytes;
    return Status();
  }

  const size_t limit_bytes_;
  size_t left_bytes_;
  Metadata& metadata_;
};

bool IsThere(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// Maps one file of tensors and keeps the mapping in the checkpoint.
Result<tensor::TensorMap> OpenShard(const fs::path& path, Checkpoint& checkpoint) {
  TUTTI_ASSIGN_OR_RETURN(os::MmapFile file, os::MmapFile::Open(path));
  TUTTI_ASSIGN_OR_RETURN(Safetensors shard, OpenSafetensorsBytes(file.bytes(), path.string()));
  checkpoint.files.push_back(std::move(file));
  return std::move(shard.tensors);
}

Result<json::value> ParsePublished(std::string_view text, std::string_view name) {
  auto value = ParseJson(text, {.unique_keys = true});
  return value.ok() ? std::move(value) : value.status().WithContext(name);
}

// The index as shard -> names of its tensors.
Result<std::map<std::string, std::vector<std::string>>> ReadIndex(const fs::path& path) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(path, kMaxIndexBytes));
  TUTTI_ASSIGN_OR_RETURN(const json::value root, ParsePublished(text, path.string()));
  const json::object* object = root.if_object();
  const json::value* map = object == nullptr ? nullptr : object->if_contains("weight_map");
  if (map == nullptr || !map->is_object()) {
    return DataError("{}: \"weight_map\" is missing or not an object", path.string());
  }
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [name, shard] : map->get_object()) {
    if (!shard.is_string()) {
      return DataError("{}: tensor {}: the shard's name is {}, a string expected", path.string(),
                       Printable(View(name)), KindOf(shard));
    }
    const std::string_view file = View(shard.get_string());
    if (file.empty() || file == "." || file == ".." ||
        file.find_first_of(std::string_view("/\\\0", 3)) != std::string_view::npos) {
      return DataError("{}: tensor {}: \"{}\" is not the name of a file in this folder",
                       path.string(), Printable(View(name)), Printable(file));
    }
    shards[std::string(file)].emplace_back(View(name));
  }
  return shards;
}

Status OpenIndexed(const fs::path& folder, const fs::path& index, Checkpoint& checkpoint) {
  TUTTI_ASSIGN_OR_RETURN(const auto shards, ReadIndex(index));
  for (const auto& [file, names] : shards) {
    const fs::path path = folder / file;
    if (!IsThere(path)) {
      return Error(StatusCode::kNotFound,
                   "{}: this shard is missing, {} names it for {} tensors: download it again",
                   path.string(), index.filename().string(), names.size());
    }
    TUTTI_ASSIGN_OR_RETURN(tensor::TensorMap tensors, OpenShard(path, checkpoint));
    for (const std::string& name : names) {
      auto node = tensors.extract(name);
      if (node.empty()) {
        return DataError("{}: tensor {} is not in it, though {} says so", path.string(),
                         Printable(name), index.filename().string());
      }
      checkpoint.tensors.insert(std::move(node));
    }
  }
  return Status();
}

Status OpenTensors(const fs::path& folder, Checkpoint& checkpoint) {
  const fs::path single = folder / "model.safetensors";
  if (IsThere(single)) {
    TUTTI_ASSIGN_OR_RETURN(checkpoint.tensors, OpenShard(single, checkpoint));
    return Status();
  }
  const fs::path index = folder / "model.safetensors.index.json";
  if (IsThere(index)) return OpenIndexed(folder, index, checkpoint);
  if (IsThere(folder / "pytorch_model.bin") || IsThere(folder / "pytorch_model.bin.index.json")) {
    return Unsupported(
        "{}: only pickled weights (pytorch_model.bin) are there, which may run code "
        "when read: look for a safetensors version of this model",
        folder.string());
  }
  return Error(StatusCode::kNotFound,
               "{}: neither model.safetensors nor model.safetensors.index.json is there",
               folder.string());
}

}  // namespace

Status FlattenJson(std::string_view text, std::string_view name, std::string_view prefix,
                   Metadata& metadata) {
  TUTTI_ASSIGN_OR_RETURN(const json::value root, ParsePublished(text, name));
  if (!root.is_object()) return DataError("{}: {}, an object expected", name, KindOf(root));
  Flattener flattener(JsonMemoryLimit(text.size()), metadata);
  return flattener.Add(root, std::string(prefix)).WithContext(name);
}

Result<Checkpoint> OpenHuggingFace(const fs::path& folder) {
  Checkpoint checkpoint;
  checkpoint.kind = CheckpointKind::kHuggingFace;
  checkpoint.path = folder;
  const fs::path config = folder / "config.json";
  // Reading a pipe would wait for ever.
  if (!IsThere(config)) {
    return Error(StatusCode::kNotFound, "{}: no such file, or not a regular one", config.string());
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(config, kMaxConfigBytes));
  TUTTI_RETURN_IF_ERROR(FlattenJson(text, config.string(), "", checkpoint.metadata));
  const fs::path generation = folder / "generation_config.json";
  if (IsThere(generation)) {
    TUTTI_ASSIGN_OR_RETURN(const std::string more, os::ReadFile(generation, kMaxConfigBytes));
    TUTTI_RETURN_IF_ERROR(
        FlattenJson(more, generation.string(), "generation.", checkpoint.metadata));
  }
  TUTTI_RETURN_IF_ERROR(OpenTensors(folder, checkpoint));
  return checkpoint;
}

}  // namespace tutti::format
