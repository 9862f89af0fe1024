// The routes that generate nothing: embeddings, tokens, templates.
#include <utility>

#include "tutti/server/embedding_run.h"
#include "tutti/server/openai_tokenize.h"
#include "tutti/server/service.h"
#include "tutti/server/service_answers.h"
#include "tutti/server/tool_constraint.h"

namespace tutti::server {
namespace {

constexpr Service::Dialect kEmbeddings = {"/v1/embeddings", nullptr};

}  // namespace

void Service::Embeddings(const Request& exchange) {
  Take(kEmbeddings, exchange, [this](const Call& call) -> std::optional<ApiError> {
    ApiResult<EmbeddingsRequest> parsed = ParseOpenaiEmbeddings(call.exchange->request().body);
    if (!parsed.ok()) return parsed.error();
    metrics_.UnknownFields(parsed->unknown_fields);
    const std::string model = parsed->model;
    const auto request = std::make_shared<EmbeddingsRequest>(std::move(*parsed));
    return WithModel(call, model, [this, request](const Call& later, const auto& host) {
      return StartEmbeddings(later, host, std::move(*request));
    });
  });
}

std::optional<ApiError> Service::StartEmbeddings(const Call& call,
                                                 const std::shared_ptr<ModelHost>& host,
                                                 EmbeddingsRequest request) {
  if (request.dimensions > host->width()) {
    return ApiError{.status = 400,
                    .type = "invalid_request_error",
                    .message = fmt::format("dimensions is {}, the model's embeddings have {}",
                                           request.dimensions, host->width()),
                    .param = "dimensions"};
  }
  std::vector<TokenIds> prompts;
  for (const Prompt& prompt : request.inputs) {
    auto ids = host->Prompt(prompt);
    if (!ids.ok()) return WithParam(ids.error(), "input");
    if (auto error = host->CheckPrompt(*ids, false)) return WithParam(*std::move(error), "input");
    prompts.push_back(std::move(*ids));
  }
  request.inputs = {};
  const int64_t dimensions = request.dimensions;
  const uint64_t key = next_generation_++;
  const auto done = [this, key, call, name = host->name(),
                     request = std::move(request)](EmbeddingResult result) {
    {
      const std::lock_guard lock(mutex_);
      embeddings_.erase(key);
    }
    metrics_.Finished(name, result.outcome);
    const int64_t tokens = result.outcome.usage.prompt_tokens;
    ChargeTokens(call.exchange->request().caller, tokens);
    if (result.outcome.kind == OutcomeKind::kFailed) {
      return Refuse(kEmbeddings.route, call.exchange, ErrorOf(result.error));
    }
    Respond(kEmbeddings.route, call.exchange,
            JsonResponse(OpenaiEmbeddingsBody(request, name, result.vectors, tokens)));
  };
  auto run = EmbeddingRun::Start(host, workers_, call.exchange->request().caller.tenant,
                                 std::move(prompts), dimensions, *call.exchange, done);
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
  static constexpr Dialect kRoute = {"/tokenize", nullptr};
  Take(kRoute, exchange, [this](const Call& call) -> std::optional<ApiError> {
    ApiResult<TokenizeRequest> parsed = ParseTokenize(call.exchange->request().body);
    if (!parsed.ok()) return parsed.error();
    const std::string model = parsed->model;
    return WithModel(call, model,
                     [this, request = std::move(*parsed)](
                         const Call& later, const auto& host) -> std::optional<ApiError> {
                       const text::Tokenizer& tokenizer = host->tokenizer();
                       TokenIds ids;
                       if (request.chat.conversation) {
                         auto prompt = PromptOf(*host, request.chat);
                         if (!prompt.ok()) return WithParam(prompt.error(), "messages");
                         ids = std::move(prompt->ids);
                       } else {
                         ids = tokenizer.Encode(request.text, {.add_special = request.add_special});
                       }
                       std::vector<std::string> pieces;
                       for (const TokenId id : ids) {
                         if (request.pieces) pieces.push_back(tokenizer.TokenBytes(id));
                       }
                       Respond(kRoute.route, later.exchange,
                               JsonResponse(TokenizeBody(ids, pieces, host->context())));
                       return std::nullopt;
                     });
  });
}

void Service::Detokenize(const Request& exchange) {
  static constexpr Dialect kRoute = {"/detokenize", nullptr};
  Take(kRoute, exchange, [this](const Call& call) -> std::optional<ApiError> {
    ApiResult<DetokenizeRequest> parsed = ParseDetokenize(call.exchange->request().body);
    if (!parsed.ok()) return parsed.error();
    return WithModel(call, parsed->model,
                     [this, tokens = std::move(parsed->tokens)](
                         const Call& later, const auto& host) -> std::optional<ApiError> {
                       if (auto error = host->CheckTokens(tokens)) {
                         return WithParam(*std::move(error), "tokens");
                       }
                       Respond(
                           kRoute.route, later.exchange,
                           JsonResponse(DetokenizeBody(host->tokenizer().Decode(tokens, true))));
                       return std::nullopt;
                     });
  });
}

void Service::ApplyTemplate(const Request& exchange) {
  static constexpr Dialect kRoute = {"/v1/apply-template", nullptr};
  Take(kRoute, exchange, [this](const Call& call) -> std::optional<ApiError> {
    ApiResult<TokenizeRequest> parsed = ParseApplyTemplate(call.exchange->request().body);
    if (!parsed.ok()) return parsed.error();
    return WithModel(
        call, parsed->model,
        [this, chat = std::move(parsed->chat)](const Call& later,
                                               const auto& host) -> std::optional<ApiError> {
          const auto rendered = host->Render(*chat.conversation, chat.continue_last_message);
          if (!rendered.ok()) {
            ApiError error = ErrorOf(rendered.status());
            error.status = 400;
            return WithParam(std::move(error), "messages");
          }
          Respond(kRoute.route, later.exchange, JsonResponse(ApplyTemplateBody(rendered->Text())));
          return std::nullopt;
        });
  });
}

}  // namespace tutti::server
