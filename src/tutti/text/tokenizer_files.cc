#include "tutti/text/tokenizer_files.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "tutti/os/file.h"
#include "tutti/text/json_access.h"

namespace tutti::text {
namespace {

namespace fs = std::filesystem;

// The largest published tokenizer file has 33 MB.
constexpr size_t kMaxFileBytes = size_t{64} << 20;

bool IsFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

Result<std::string> Read(const fs::path& path) { return os::ReadFile(path, kMaxFileBytes); }

// nullopt where there is no such file.
Result<std::optional<std::string>> ReadIfThere(const fs::path& path) {
  if (!IsFile(path)) return std::optional<std::string>();
  TUTTI_ASSIGN_OR_RETURN(std::string content, Read(path));
  return std::optional<std::string>(std::move(content));
}

template <typename T>
Result<T> InFile(const fs::path& path, Result<T> result) {
  if (result.ok()) return result;
  return result.status().WithContext(path.string());
}

Result<VocabSpec> ReadPair(const fs::path& vocab, const fs::path& merges,
                           std::string_view pretokenizer) {
  TUTTI_ASSIGN_OR_RETURN(const std::string vocab_json, Read(vocab));
  TUTTI_ASSIGN_OR_RETURN(const std::string merges_txt, Read(merges));
  return InFile(vocab, ParseVocabAndMerges(vocab_json, merges_txt, pretokenizer));
}

// Lines of base64 and a number.
bool IsRankFile(std::string_view content) {
  const std::string_view head = content.substr(0, std::min<size_t>(content.size(), 64));
  return !head.empty() && std::all_of(head.begin(), head.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
           c == '/' || c == '=' || c == ' ' || c == '\n' || c == '\r';
  });
}

Result<VocabSpec> ReadTokenizerFile(const fs::path& path, std::string_view pretokenizer) {
  const std::string name = path.filename().string();
  const auto pair = [&](std::string_view end, std::string_view other_end) {
    return ReadPair(
        path,
        path.parent_path() / (name.substr(0, name.size() - end.size()) + std::string(other_end)),
        pretokenizer);
  };
  if (name.ends_with("vocab.json")) return pair("vocab.json", "merges.txt");
  if (name.ends_with("encoder.json")) return pair("encoder.json", "vocab.bpe");
  TUTTI_ASSIGN_OR_RETURN(const std::string content, Read(path));
  const char first = content.empty() ? '\0' : content[0];
  if (name.ends_with(".json") || first == '{') {
    return InFile(path, ParseTokenizerJson(content));
  }
  if (IsRankFile(content)) return InFile(path, ParseRankFile(content, pretokenizer));
  // A SentencePiece model begins with the tag of one of its fields: pieces, trainer, normaliser.
  if (first == '\x0A' || first == '\x12' || first == '\x1A') {
    return InFile(path, ParseSentencePieceModel(content));
  }
  return DataError("{}: neither tokenizer.json nor SentencePiece model nor rank file",
                   path.string());
}

// The pre-tokenizer that a class of the publisher's Python code has built in.
Result<std::string> PretokenizerOfClass(const std::optional<std::string>& config) {
  if (!config) return std::string();
  TUTTI_ASSIGN_OR_RETURN(const boost::json::value root, ParseJson(*config));
  if (!root.is_object()) return DataError("an object is expected, this is {}", Shown(root));
  TUTTI_ASSIGN_OR_RETURN(const auto name, StringField(root.get_object(), "tokenizer_class"));
  constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"GPT2Tokenizer", "gpt-2"},       {"GPT2TokenizerFast", "gpt-2"}, {"Qwen2Tokenizer", "qwen2"},
      {"Qwen2TokenizerFast", "qwen2"},  {"QWenTokenizer", "qwen2"},     {"HYTokenizer", "hunyuan"},
      {"TikTokenTokenizer", "kimi-k2"},
  };
  for (const auto& [known, pretokenizer] : kClasses) {
    if (name == known) return std::string(pretokenizer);
  }
  return std::string();
}

Result<fs::path> FindTokenizerFile(const fs::path& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tiktoken.model"}) {
    if (IsFile(folder / name)) return folder / name;
  }
  if (IsFile(folder / "vocab.json") && IsFile(folder / "merges.txt")) return folder / "vocab.json";
  if (IsFile(folder / "encoder.json") && IsFile(folder / "vocab.bpe")) {
    return folder / "encoder.json";
  }
  std::vector<fs::path> rank_files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".tiktoken") rank_files.push_back(it->path());
  }
  if (rank_files.size() == 1) return rank_files[0];
  return Error(StatusCode::kNotFound,
               "{}: no tokenizer.json, tokenizer.model, vocab.json with merges.txt, or *.tiktoken",
               folder.string());
}

Result<VocabSpec> ReadFolder(const fs::path& folder) {
  TUTTI_ASSIGN_OR_RETURN(const fs::path file, FindTokenizerFile(folder));
  const fs::path config_path = folder / "tokenizer_config.json";
  TUTTI_ASSIGN_OR_RETURN(const auto config, ReadIfThere(config_path));
  TUTTI_ASSIGN_OR_RETURN(const std::string pretokenizer,
                         InFile(config_path, PretokenizerOfClass(config)));
  TUTTI_ASSIGN_OR_RETURN(VocabSpec spec, ReadTokenizerFile(file, pretokenizer));
  if (config) {
    TUTTI_RETURN_IF_ERROR(ApplyTokenizerConfig(*config, &spec).WithContext(config_path.string()));
  }
  // Where there is no generation_config.json, the model's own config.json has the id.
  fs::path generation_path = folder / "generation_config.json";
  if (!IsFile(generation_path)) generation_path = folder / "config.json";
  TUTTI_ASSIGN_OR_RETURN(const auto generation, ReadIfThere(generation_path));
  if (generation) {
    TUTTI_RETURN_IF_ERROR(
        ApplyGenerationConfig(*generation, &spec).WithContext(generation_path.string()));
  }
  TUTTI_ASSIGN_OR_RETURN(auto chat_template, ReadIfThere(folder / "chat_template.jinja"));
  if (chat_template) spec.chat_template = *std::move(chat_template);
  return spec;
}

}  // namespace

Result<VocabSpec> ReadVocab(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadFolder(path);
  return ReadTokenizerFile(path, "");
}

}  // namespace tutti::text
