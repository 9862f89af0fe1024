// Writes the inputs jinja_fuzz starts from: the recorded snippets, one file each.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_json.h"

int main(int argc, char** argv) {
  namespace jinja = tutti::text::jinja;
  if (argc != 2) {
    std::fprintf(stderr, "usage: jinja_seeds FOLDER\n");
    return 64;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  std::ifstream in(TUTTI_SOURCE_DIR "/tests/golden/templates/language.jsonl");
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    jinja::Heap heap({.steps = 1u << 24, .memory_bytes = 1u << 24});
    const jinja::Value row = jinja::ParseJson(heap, line, false);
    jinja::JsonStyle style;
    style.item_separator = *jinja::MakeString(heap, ",", false).string;
    style.key_separator = *jinja::MakeString(heap, ":", false).string;
    jinja::Builder variables(heap);
    const auto find = [&](std::string_view key) {
      return jinja::DictFind(heap, *row.dict, key)->value;
    };
    if (!jinja::AppendJson(variables, find("vars"), style)) return 65;
    std::ofstream out(folder / ("language_" + std::to_string(count)), std::ios::binary);
    out << find("template").string->view() << '\0' << variables.view();
  }
  return count > 0 ? 0 : 66;
}
