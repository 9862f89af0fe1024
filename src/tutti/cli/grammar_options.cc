#include "tutti/cli/grammar_options.h"

#include <utility>

#include "tutti/os/file.h"

namespace tutti::cli {

void GrammarOptions::Declare(CLI::App& app) {
  app.add_option("--grammar", file_, "to obey: schema.json, x.regex, others EBNF")
      ->type_name("FILE");
}

Status GrammarOptions::Compile() {
  if (file_.empty()) return {};
  TUTTI_ASSIGN_OR_RETURN(std::string source, os::ReadFile(file_, text::kGrammarSourceMax));
  auto grammar = Result<std::shared_ptr<const text::Grammar>>(nullptr);
  if (file_.ends_with(".json")) {
    grammar = text::CompileJsonSchema(source);
  } else if (file_.ends_with(".regex")) {
    if (source.ends_with('\n')) source.pop_back();  // the editor's, not the expression's
    grammar = text::CompileRegex(source);
  } else {
    grammar = text::CompileEbnf(source);
  }
  if (!grammar.ok()) return grammar.status().WithContext(file_);
  grammar_ = std::move(grammar).value();
  return {};
}

Result<std::shared_ptr<const TokenConstraint>> GrammarOptions::Bind(
    const LoadedModel& loaded) const {
  if (!grammar_) return std::shared_ptr<const TokenConstraint>();
  TUTTI_RETURN_IF_ERROR(loaded.tokenizer_status);
  TUTTI_ASSIGN_OR_RETURN(auto vocabulary, text::GrammarVocabulary::Create(
                                              *loaded.tokenizer, loaded.engine->spec().vocab_size,
                                              loaded.tokenizer->spec().Ends()));
  TUTTI_ASSIGN_OR_RETURN(auto masks, text::GrammarMasks::Create(grammar_, std::move(vocabulary)));
  return std::shared_ptr<const TokenConstraint>(text::Constrain(std::move(masks)));
}

}  // namespace tutti::cli
