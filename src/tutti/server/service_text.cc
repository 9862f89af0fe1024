// The routes that generate nothing: embeddings, tokens, templates.
#include <utility>

#include "tutti/server/embedding_run.h"
#include "tutti/server/openai_embeddings.h"
#include "tutti/server/openai_tokenize.h"
#include "tutti/server/service.h"
#include "tutti/server/service_answers.h"

namespace tutti::server {
namespace {

constexpr Service::Dialect Plain(std::string_view route) { return {route, nullptr, OpenaiError}; }

constexpr Service::Dialect kEmbeddings = Plain("/v1/embeddings");

}  // namespace

void Service::Embeddings(const Request& exchange) {
  ++running_;
  intake_.Post([this, exchange] {
    if (const auto error = Attempt([&] { return RunEmbeddings(exchange); })) {
      Refuse(kEmbeddings, exchange, *error);
      --running_;
    }
  });
}

std::optional<ApiError> Service::RunEmbeddings(const Request& exchange) {
  ApiResult<EmbeddingsRequest> parsed = ParseOpenaiEmbeddings(exchange->request().body);
  if (!parsed.ok()) return parsed.error();
  metrics_.UnknownFields(parsed->unknown_fields);
  auto host = models_.Get(parsed->model);
  if (!host.ok()) return ModelError(host.status());
  if (parsed->dimensions > (*host)->width()) {
    return ApiError{.status = 400,
                    .type = "invalid_request_error",
                    .message = fmt::format("dimensions is {}, the model's embeddings have {}",
                                           parsed->dimensions, (*host)->width()),
                    .param = "dimensions"};
  }
  std::vector<TokenIds> prompts;
  for (const Prompt& prompt : parsed->inputs) {
    auto ids = (*host)->Prompt(prompt);
    if (!ids.ok()) return PromptError(ids.status(), "input");
    prompts.push_back(std::move(ids).value());
  }
  const int64_t dimensions = parsed->dimensions;
  const uint64_t key = next_generation_++;
  const auto done = [this, key, exchange, name = (*host)->name(),
                     request = std::move(*parsed)](EmbeddingResult result) {
    metrics_.Finished(name, result.outcome);
    const int64_t tokens = result.outcome.usage.prompt_tokens;
    ChargeTokens(exchange->request().caller, tokens);
    if (result.outcome.kind == OutcomeKind::kFailed) {
      Refuse(kEmbeddings, exchange, ErrorOf(result.error));
    } else {
      Respond(kEmbeddings.route, exchange,
              JsonResponse(OpenaiEmbeddingsBody(request, name, result.vectors, tokens)));
    }
    --running_;
    const std::lock_guard lock(mutex_);
    embeddings_.erase(key);
  };
  auto run = EmbeddingRun::Start(*host, workers_, exchange->request().caller.tenant,
                                 std::move(prompts), dimensions, *exchange, done);
  if (!run.ok()) {
    ApiError error = ErrorOf(run.status());
    if (error.status == 400) error.param = "input";
    return error;
  }
  const std::lock_guard lock(mutex_);
  if (!(*run)->ended()) embeddings_[key] = std::move(run).value();
  return std::nullopt;
}

void Service::Tokenize(const Request& exchange) {
  intake_.Post([this, exchange] {
    static constexpr Dialect kRoute = Plain("/tokenize");
    ApiResult<TokenizeRequest> parsed = ParseTokenize(exchange->request().body);
    if (!parsed.ok()) return Refuse(kRoute, exchange, parsed.error());
    const auto host = models_.Get(parsed->model);
    if (!host.ok()) return Refuse(kRoute, exchange, ModelError(host.status()));
    const text::Tokenizer& tokenizer = (*host)->tokenizer();
    TokenIds ids;
    if (parsed->conversation) {
      auto prompt = (*host)->Prompt(*parsed->conversation);
      if (!prompt.ok()) return Refuse(kRoute, exchange, PromptError(prompt.status(), "messages"));
      ids = std::move(prompt->ids);
    } else {
      ids = tokenizer.Encode(parsed->text, {.add_special = parsed->add_special});
    }
    std::vector<std::string> pieces;
    for (const TokenId id : ids) {
      if (parsed->pieces) pieces.push_back(tokenizer.TokenBytes(id));
    }
    Respond(kRoute.route, exchange, JsonResponse(TokenizeBody(ids, pieces, (*host)->context())));
  });
}

void Service::Detokenize(const Request& exchange) {
  intake_.Post([this, exchange] {
    static constexpr Dialect kRoute = Plain("/detokenize");
    ApiResult<DetokenizeRequest> parsed = ParseDetokenize(exchange->request().body);
    if (!parsed.ok()) return Refuse(kRoute, exchange, parsed.error());
    const auto host = models_.Get(parsed->model);
    if (!host.ok()) return Refuse(kRoute, exchange, ModelError(host.status()));
    Respond(kRoute.route, exchange,
            JsonResponse(DetokenizeBody((*host)->tokenizer().Decode(parsed->tokens, true))));
  });
}

void Service::ApplyTemplate(const Request& exchange) {
  intake_.Post([this, exchange] {
    static constexpr Dialect kRoute = Plain("/v1/apply-template");
    ApiResult<TokenizeRequest> parsed = ParseApplyTemplate(exchange->request().body);
    if (!parsed.ok()) return Refuse(kRoute, exchange, parsed.error());
    const auto host = models_.Get(parsed->model);
    if (!host.ok()) return Refuse(kRoute, exchange, ModelError(host.status()));
    const auto rendered = (*host)->Render(*parsed->conversation, false);
    if (!rendered.ok()) return Refuse(kRoute, exchange, PromptError(rendered.status(), "messages"));
    Respond(kRoute.route, exchange, JsonResponse(ApplyTemplateBody(rendered->Text())));
  });
}

}  // namespace tutti::server
