#include "tutti/format/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/base/utf8.h"
#include "tutti/format/gguf_cursor.h"
#include "tutti/format/gguf_metadata.h"
#include "tutti/format/gguf_split.h"
#include "tutti/format/gguf_types.h"
#include "tutti/format/gguf_vocab.h"

namespace tutti::format {
namespace {

// Name length, one byte of name, dimension count, type, offset.
constexpr uint64_t kSmallestTensorInfo = 8 + 1 + 4 + 4 + 8;
constexpr uint64_t kLongestName = 65535;
// The largest models of 2026 have a few thousand tensors.
constexpr uint64_t kMaxTensors = 1u << 20;
// The specification asks for a multiple of 8; nobody aligns to more than a huge page.
constexpr int64_t kMinAlignment = 8;
constexpr int64_t kMaxAlignment = 1 << 24;

struct TensorInfo {
  std::string_view name;
  tensor::TensorView view;  // data not yet known
  uint64_t offset = 0;      // from the beginning of the data
};

// One file of a model.
struct Part {
  GgufMetadata metadata;
  tensor::TensorMap tensors;
};

Status CheckVersion(uint32_t magic, uint32_t version) {
  if (magic != kGgufMagic) {
    return DataError("not a GGUF file: begins with the bytes {:02x} {:02x} {:02x} {:02x}",
                     magic & 0xff, magic >> 8 & 0xff, magic >> 16 & 0xff, magic >> 24);
  }
  if (version == 2 || version == 3) return Status();
  if (version == 1) {
    return Unsupported("GGUF version 1 is not supported: convert the model again to version 3");
  }
  if ((version & 0xffff) == 0 && version != 0) {
    return Unsupported(
        "big-endian GGUF files are not supported: convert the model to "
        "little-endian");
  }
  if (version == 0) return DataError("GGUF version 0 at byte 4 does not exist");
  return Unsupported("GGUF version {} is not supported, only 2 and 3 are", version);
}

// Dimensions innermost first at the cursor -> shape outermost first.
Status ReadShape(GgufCursor& cursor, tensor::Shape* shape) {
  const size_t begin = cursor.offset();
  uint32_t rank = 0;
  TUTTI_RETURN_IF_ERROR(cursor.Read(&rank, "number of dimensions"));
  if (rank > tensor::kMaxDims) {
    return DataError("{} dimensions at byte {}, at most {} are possible", rank, begin,
                     tensor::kMaxDims);
  }
  // A scalar is a vector of one.
  shape->rank = std::max<int>(1, static_cast<int>(rank));
  shape->dims[0] = 1;
  int64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    const size_t at = cursor.offset();
    int64_t size = 0;
    TUTTI_RETURN_IF_ERROR(cursor.Read(&size, "dimension"));
    if (size <= 0) return DataError("dimension {} at byte {}, at least 1 is needed", size, at);
    const auto product = CheckedMul(elements, size);
    if (!product) return DataError("the dimensions up to byte {} overflow", cursor.offset());
    elements = *product;
    shape->dims[rank - 1 - i] = size;
  }
  return Status();
}

// Type at the cursor; sets dtype and size_bytes of a view whose shape is known.
Status ReadType(GgufCursor& cursor, std::string_view name, tensor::TensorView* view) {
  const size_t begin = cursor.offset();
  uint32_t type = 0;
  TUTTI_RETURN_IF_ERROR(cursor.Read(&type, "type of the tensor"));
  const auto dtype = DTypeFromGgmlId(type);
  if (!dtype) {
    return Unsupported("not supported yet: TYPE {} in tensor {} (byte {})", type, Printable(name),
                       begin);
  }
  const DTypeInfo& info = InfoOf(*dtype);
  const int64_t row = view->shape[view->shape.rank - 1];
  if (row % info.block_size != 0) {
    return DataError("tensor {} at byte {}: rows of {} values are not whole blocks of {} ({})",
                     Printable(name), begin, row, info.block_size, info.name);
  }
  const auto size = CheckedMul<int64_t>(view->shape.elements() / info.block_size, info.block_bytes);
  if (!size) {
    return DataError("tensor {} at byte {}: {} of {} overflows", Printable(name), begin,
                     view->shape.ToString(), info.name);
  }
  view->dtype = *dtype;
  view->size_bytes = static_cast<size_t>(*size);
  return Status();
}

Result<TensorInfo> ReadTensorInfo(GgufCursor& cursor) {
  const size_t begin = cursor.offset();
  TensorInfo info;
  TUTTI_RETURN_IF_ERROR(cursor.ReadString(&info.name, "tensor name"));
  if (info.name.empty() || info.name.size() > kLongestName || !IsUtf8(info.name)) {
    return DataError("tensor name \"{}\" at byte {} is empty, too long or not UTF-8",
                     Printable(info.name), begin);
  }
  TUTTI_RETURN_IF_ERROR(
      ReadShape(cursor, &info.view.shape).WithContext("tensor " + Printable(info.name)));
  TUTTI_RETURN_IF_ERROR(ReadType(cursor, info.name, &info.view));
  TUTTI_RETURN_IF_ERROR(cursor.Read(&info.offset, "offset of the tensor"));
  return info;
}

Result<std::vector<TensorInfo>> ReadTensorInfos(GgufCursor& cursor, uint64_t count) {
  if (count > cursor.remaining() / kSmallestTensorInfo) {
    return DataError("{} tensors are announced, but only {} bytes follow the metadata", count,
                     cursor.remaining());
  }
  if (count > kMaxTensors) {
    return Error(StatusCode::kResource, "{} tensors, at most {} are read", count, kMaxTensors);
  }
  std::vector<TensorInfo> infos;
  infos.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN_OR_RETURN(TensorInfo info, ReadTensorInfo(cursor));
    infos.push_back(info);
  }
  return infos;
}

Result<uint64_t> AlignmentOf(const Metadata& metadata) {
  TUTTI_ASSIGN_OR_RETURN(const auto found, metadata.Int(kGgufAlignmentKey));
  const int64_t alignment = found.value_or(kGgufDefaultAlignment);
  if (alignment < kMinAlignment || alignment > kMaxAlignment ||
      !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    return DataError("{} is {}, a power of two from {} to {} expected", kGgufAlignmentKey,
                     alignment, kMinAlignment, kMaxAlignment);
  }
  return static_cast<uint64_t>(alignment);
}

// Sets the data pointers; no tensor may leave the data or share bytes with another.
Status PlaceTensors(std::span<const std::byte> file, uint64_t header_bytes, uint64_t alignment,
                    std::vector<TensorInfo>& infos) {
  // header_bytes is at most the length of a file and alignment small: no overflow.
  const uint64_t data_begin = RoundUp(header_bytes, alignment);
  const uint64_t data_size = file.size() > data_begin ? file.size() - data_begin : 0;
  // Anything but zeros here means that the counts in the header are too small.
  for (uint64_t at = header_bytes; at < std::min<uint64_t>(data_begin, file.size()); ++at) {
    if (file[at] != std::byte{0}) {
      return DataError("the padding behind the header is not zero at byte {}: wrong counts?", at);
    }
  }
  std::sort(infos.begin(), infos.end(),
            [](const TensorInfo& a, const TensorInfo& b) { return a.offset < b.offset; });
  const TensorInfo* previous = nullptr;
  for (TensorInfo& info : infos) {
    if (info.offset % alignment != 0) {
      return DataError("tensor {} begins at data byte {}, not a multiple of {}",
                       Printable(info.name), info.offset, alignment);
    }
    const auto end = CheckedAdd<uint64_t>(info.offset, info.view.size_bytes);
    if (!end || *end > data_size) {
      return DataError(
          "tensor {} needs {} bytes at data byte {} (file byte {}), the file has {} data bytes: is "
          "the download complete?",
          Printable(info.name), info.view.size_bytes, info.offset,
          CheckedAdd(data_begin, info.offset).value_or(std::numeric_limits<uint64_t>::max()),
          data_size);
    }
    if (previous != nullptr && previous->offset + previous->view.size_bytes > info.offset) {
      return DataError("tensors {} and {} overlap at data byte {}", Printable(previous->name),
                       Printable(info.name), info.offset);
    }
    info.view.data = file.data() + data_begin + info.offset;
    previous = &info;
  }
  return Status();
}

Status AddTensors(const std::vector<TensorInfo>& infos, tensor::TensorMap* tensors) {
  for (const TensorInfo& info : infos) {
    if (!tensors->emplace(info.name, info.view).second) {
      return DataError("tensor {} appears twice", Printable(info.name));
    }
  }
  return Status();
}

Result<Part> ReadPart(std::span<const std::byte> file) {
  GgufCursor cursor(file);
  uint32_t magic = 0;
  uint32_t version = 0;
  uint64_t tensor_count = 0;
  uint64_t key_count = 0;
  TUTTI_RETURN_IF_ERROR(cursor.Read(&magic, "GGUF magic"));
  TUTTI_RETURN_IF_ERROR(cursor.Read(&version, "GGUF version"));
  TUTTI_RETURN_IF_ERROR(CheckVersion(magic, version));
  TUTTI_RETURN_IF_ERROR(cursor.Read(&tensor_count, "number of tensors"));
  TUTTI_RETURN_IF_ERROR(cursor.Read(&key_count, "number of metadata keys"));
  Part part;
  TUTTI_RETURN_IF_ERROR(ReadGgufMetadata(cursor, key_count, &part.metadata));
  TUTTI_ASSIGN_OR_RETURN(const uint64_t alignment, AlignmentOf(part.metadata.values));
  TUTTI_ASSIGN_OR_RETURN(auto infos, ReadTensorInfos(cursor, tensor_count));
  TUTTI_RETURN_IF_ERROR(PlaceTensors(file, cursor.offset(), alignment, infos));
  TUTTI_RETURN_IF_ERROR(AddTensors(infos, &part.tensors));
  return part;
}

// What the keys split.* of one part say; a file that is not split is part 0 of 1.
struct SplitKeys {
  int64_t no = 0;
  int64_t count = 1;
  int64_t tensors = 0;
};

Result<SplitKeys> SplitKeysOf(const Part& part) {
  const Metadata& metadata = part.metadata.values;
  TUTTI_ASSIGN_OR_RETURN(const auto no, metadata.Int("split.no"));
  TUTTI_ASSIGN_OR_RETURN(const auto count, metadata.Int("split.count"));
  TUTTI_ASSIGN_OR_RETURN(const auto tensors, metadata.Int("split.tensors.count"));
  SplitKeys keys{no.value_or(0), count.value_or(1),
                 tensors.value_or(static_cast<int64_t>(part.tensors.size()))};
  if (keys.count == 0) keys.count = 1;  // some tools write 0 for "not split"
  constexpr int64_t kMaxParts = 99999;
  if (keys.count < 1 || keys.count > kMaxParts || keys.no < 0 || keys.no >= keys.count) {
    return DataError("split.no is {} and split.count {}, which cannot be", keys.no, keys.count);
  }
  return keys;
}

// The name and the keys of a part must say the same.
Status CheckPart(const SplitKeys& keys, const std::optional<SplitName>& name) {
  const int64_t part = name ? name->part : 1;
  const int64_t parts = name ? name->parts : 1;
  if (keys.count == parts && keys.no == part - 1) return Status();
  return DataError(
      "the file name says part {} of {}, the keys split.no and split.count say {} of "
      "{}: give it back its name NAME-{:05}-of-{:05}.gguf",
      part, parts, keys.no + 1, keys.count, keys.no + 1, keys.count);
}

// Turns the first part, to which the tensors of the others were added, into a checkpoint.
Result<Checkpoint> Finish(Part part) {
  Checkpoint checkpoint;
  TUTTI_ASSIGN_OR_RETURN(checkpoint.vocab, ReadGgufVocab(part.metadata));
  // The parts are one model now.
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) {
    part.metadata.values.Remove(key);
  }
  checkpoint.kind = CheckpointKind::kGguf;
  checkpoint.metadata = std::move(part.metadata.values);
  checkpoint.tensors = std::move(part.tensors);
  return checkpoint;
}

// Opens part `number` (1 is the first) and checks that it is what its name says.
Result<Part> OpenPart(const std::filesystem::path& path, const std::optional<SplitName>& name,
                      std::vector<os::MmapFile>* files, SplitKeys* keys) {
  TUTTI_ASSIGN_OR_RETURN(os::MmapFile file, os::MmapFile::Open(path));
  const auto read = [&]() -> Result<Part> {
    TUTTI_ASSIGN_OR_RETURN(Part part, ReadPart(file.bytes()));
    TUTTI_ASSIGN_OR_RETURN(*keys, SplitKeysOf(part));
    TUTTI_RETURN_IF_ERROR(CheckPart(*keys, name));
    return part;
  };
  Result<Part> part = read();
  if (!part.ok()) return part.status().WithContext(path.string());
  files->push_back(std::move(file));
  return part;
}

}  // namespace

Result<Checkpoint> OpenGguf(const std::filesystem::path& path) {
  std::optional<SplitName> name = ParseSplitName(path.filename().string());
  const int parts = name ? name->parts : 1;
  std::vector<os::MmapFile> files;
  Part model;
  SplitKeys first;
  for (int i = 1; i <= parts; ++i) {
    std::filesystem::path part_path = path;
    if (name) {
      name->part = i;
      part_path.replace_filename(name->ToString());
    }
    SplitKeys keys;
    Result<Part> part = OpenPart(part_path, name, &files, &keys);
    if (!part.ok()) {
      return i == 1 && !name ? part.status()
                             : part.status().WithContext(fmt::format("part {} of {}", i, parts));
    }
    if (i == 1) {
      model = std::move(*part);
      first = keys;
      continue;
    }
    if (keys.tensors != first.tensors) {
      return DataError("{}: split.tensors.count is {}, but {} in part 1: not the same model?",
                       part_path.string(), keys.tensors, first.tensors);
    }
    const size_t sum = model.tensors.size() + part->tensors.size();
    model.tensors.merge(part->tensors);
    if (model.tensors.size() != sum) {
      return DataError("{}: tensor {} is in an earlier part, too", part_path.string(),
                       Printable(part->tensors.begin()->first));
    }
  }
  if (first.tensors != static_cast<int64_t>(model.tensors.size())) {
    return DataError("{}: split.tensors.count is {}, but the parts have {} tensors", path.string(),
                     first.tensors, model.tensors.size());
  }
  Result<Checkpoint> checkpoint = Finish(std::move(model));
  if (!checkpoint.ok()) return checkpoint.status().WithContext(path.string());
  checkpoint->path = path;
  checkpoint->files = std::move(files);
  return checkpoint;
}

Result<Checkpoint> OpenGgufBytes(std::span<const std::byte> bytes, std::string_view name) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kMinAlignment != 0) {
    return UsageError("{}: the bytes must be aligned to {}", name, kMinAlignment);
  }
  const auto read = [&]() -> Result<Checkpoint> {
    TUTTI_ASSIGN_OR_RETURN(Part part, ReadPart(bytes));
    TUTTI_ASSIGN_OR_RETURN(const SplitKeys keys, SplitKeysOf(part));
    TUTTI_RETURN_IF_ERROR(CheckPart(keys, std::nullopt));
    return Finish(std::move(part));
  };
  Result<Checkpoint> checkpoint = read();
  if (!checkpoint.ok()) return checkpoint.status().WithContext(name);
  checkpoint->path = std::string(name);
  return checkpoint;
}

}  // namespace tutti::format
