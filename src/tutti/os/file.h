// Whole files, read with a limit and written atomically.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::os {

// The file's bytes; kResource where it is larger than `limit_bytes`.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t limit_bytes);

// Writes a temporary file beside `path`, syncs it and renames it, so that readers see the old file
// or the whole new one. On failure (full disk included) the old file stays and the temporary goes;
// what a killed process left ("NAME.tutti-tmp"), the next writer of the same file replaces.
// A symbolic link stays and its target is replaced; who may read and write the old file may the new
// one (its mode is kept); what is not a regular file (a device, a pipe) is written to directly and
// never replaced.
Status WriteFile(const std::filesystem::path& path, std::string_view content);

// kIo where a new file of this size would not fit on the disk beside what is there now (writing is
// atomic: an old file at `path` stays until the end). For writers that know their size in front;
// what is not a regular file always has room.
Status CheckRoom(const std::filesystem::path& path, uint64_t size_bytes);

// What WriteFile would say before its first byte: for those who compute for hours before they
// write. Leaves nothing behind.
Status CheckWritable(const std::filesystem::path& path);

// The same for content that is produced piece by piece and need not fit into memory. One thread.
//
//   TUTTI_ASSIGN_OR_RETURN(os::FileWriter file, os::FileWriter::Create(path));
//   TUTTI_RETURN_IF_ERROR(file.Append(header));
//   TUTTI_RETURN_IF_ERROR(file.Append(body));
//   return file.Commit();
//
// Destroyed before Commit it leaves nothing behind.
class FileWriter {
 public:
  static Result<FileWriter> Create(const std::filesystem::path& path);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  Status Append(std::string_view content);
  // Syncs and renames; nothing may be appended afterwards.
  Status Commit();

 private:
  FileWriter() = default;
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty: path_ is written to directly
  int fd_ = -1;                      // -1: committed or moved from
};

}  // namespace tutti::os
