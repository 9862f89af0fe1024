#include "tutti/server/openai_fields.h"

#include <array>

namespace tutti::server {
namespace {

namespace json = boost::json;

const auto kStreamFields = std::to_array<Field<RequestDraft>>({
    {"include_usage", [](RequestDraft& d, bool v) { d.request.include_usage = v; }},
    {"include_obfuscation", Ignored{}},
    {"continuous_usage_stats", Ignored{}},
});

const auto kCommonFields = std::to_array<Field<RequestDraft>>({
    {"model", [](RequestDraft& d, std::string_view v) { d.request.model = v; }, 0, kMaxIdBytes},
    {"n", [](RequestDraft& d, int64_t v) { d.request.choices = static_cast<int32_t>(v); }, 1,
     kMaxChoices},
    {"stop", ReadStops},
    {"stream", [](RequestDraft& d, bool v) { d.request.stream = v; }},
    {"stream_options", [](RequestReader& r, RequestDraft& d,
                          const json::object& v) { r.Read<RequestDraft>(v, {kStreamFields}, d); }},
    {"service_tier",
     [](RequestDraft& d, std::string_view v) {
       d.request.batch_priority = v == "flex" || v == "batch";
     },
     0, kMaxIdBytes},
    {"user", Ignored{}},
    {"metadata", Ignored{}},
    {"store", Ignored{}},
    {"safety_identifier", Ignored{}},
    {"prompt_cache_key", Ignored{}},
    {"prompt_cache_retention", Ignored{}},
    {"cache_prompt", Ignored{}},
});

}  // namespace

Fields<RequestDraft> OpenaiCommonFields() { return kCommonFields; }

}  // namespace tutti::server
