#include "tutti/cli/output_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "tutti/base/printable.h"
#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

// Configuration, tokenizers and templates (format/hugging_face.cc, text/tokenizer_files.h).
constexpr std::array<std::string_view, 6> kDescriptions = {".json",     ".model", ".jinja",
                                                           ".tiktoken", ".txt",   ".bpe"};

std::vector<fs::path> FilesOf(const ModelChoice& choice, const format::Checkpoint& checkpoint) {
  std::vector<fs::path> files;
  for (const os::MmapFile& file : checkpoint.files) files.push_back(file.path());
  std::error_code error;
  if (choice.embedded || !fs::is_directory(choice.path, error)) return files;
  for (fs::directory_iterator it(choice.path, error), end; !error && it != end;
       it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if (std::find(kDescriptions.begin(), kDescriptions.end(), extension) != kDescriptions.end()) {
      files.push_back(it->path());
    }
  }
  return files;
}

}  // namespace

Status CheckOutput(const fs::path& out, const ModelChoice& choice,
                   const format::Checkpoint& checkpoint, std::initializer_list<fs::path> others) {
  std::vector<fs::path> inputs = FilesOf(choice, checkpoint);
  inputs.insert(inputs.end(), others.begin(), others.end());
  for (const fs::path& input : inputs) {
    std::error_code absent;
    if (fs::equivalent(input, out, absent)) {
      return UsageError("{}: would replace {}, which is read: give the result another name",
                        Printable(out.string(), 1000), Printable(input.string(), 1000));
    }
  }
  return os::CheckWritable(out);
}

}  // namespace tutti::cli
