#include "tutti/server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace tutti::server {
namespace {

constexpr auto kSeconds =
    std::to_array<double>({0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                           1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640});
constexpr auto kTokens = std::to_array<double>(
    {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000});

enum HistogramIndex : size_t {
  kFirstToken,
  kPerToken,
  kWhole,
  kQueue,
  kPrefill,
  kDecode,
  kPromptSize,
  kAnswerSize,
  kHistograms
};
struct Family {
  std::string_view own;
  std::string_view vllm;  // empty: none
  std::string_view help;
};
constexpr std::array<Family, kHistograms> kHistogramFamilies = {{
    {"tutti_time_to_first_token_seconds", "vllm:time_to_first_token_seconds",
     "From the request to its first token."},
    {"tutti_inter_token_latency_seconds", "vllm:inter_token_latency_seconds",
     "Between two tokens of an answer, each request's mean."},
    {"tutti_request_seconds", "vllm:e2e_request_latency_seconds", "From the request to its end."},
    {"tutti_request_queue_seconds", "vllm:request_queue_time_seconds", "Time in the queue."},
    {"tutti_request_prefill_seconds", "vllm:request_prefill_time_seconds",
     "From leaving the queue to the first token."},
    {"tutti_request_decode_seconds", "vllm:request_decode_time_seconds",
     "From the first token to the last."},
    {"tutti_request_prompt_tokens", "vllm:request_prompt_tokens", "Tokens of a prompt."},
    {"tutti_request_generation_tokens", "vllm:request_generation_tokens", "Tokens of an answer."},
}};

// As OpenAI's finish_reason, which dashboards group by.
constexpr std::array<std::string_view, kFinishReasons> kFinishedLabels = {
    "stop", "stop", "length", "length", "abort", "abort", "error"};

std::string Escaped(std::string_view label) {
  std::string text;
  for (const char c : label) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

std::string ModelLabel(std::string_view model) {
  return fmt::format("model_name=\"{}\"", Escaped(model));
}

void AppendType(std::string_view name, std::string_view type, std::string_view help,
                std::string& text) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

}  // namespace

void Histogram::Observe(double value, int64_t times) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<size_t>(bound - bounds_.begin())] += times;
  count_ += times;
  sum_ += value * static_cast<double>(times);
}

std::string Histogram::Lines(std::string_view name, std::string_view labels) const {
  std::string text;
  int64_t below = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    below += counts_[i];
    text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds_[i], below);
  }
  text +=
      fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                  name, labels, count_, sum_);
  return text;
}

Metrics::OfModel::OfModel() {
  for (size_t i = 0; i < kHistograms; ++i) {
    histograms.emplace_back(i >= kPromptSize ? std::span<const double>(kTokens)
                                             : std::span<const double>(kSeconds));
  }
}

void Metrics::Finished(const std::string& model, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  OfModel& of = models_[model];
  const AnswerUsage& usage = outcome.usage;
  for (const FinishReason reason : outcome.reasons) ++of.finished[static_cast<size_t>(reason)];
  if (outcome.kind == OutcomeKind::kAbandoned) {
    ++of.abandoned;
    of.abandoned_tokens += usage.prompt_tokens + usage.generated_tokens;
  }
  if (outcome.kind == OutcomeKind::kFailed) ++of.failed;
  of.prompt_tokens += usage.prompt_tokens;
  of.cached_tokens += usage.cached_tokens;
  of.generated_tokens += usage.generated_tokens;
  auto observe = [&](HistogramIndex index, double value, int64_t times = 1) {
    if (value >= 0 && times > 0) of.histograms[index].Observe(value, times);
  };
  observe(kFirstToken, outcome.first_token_s);
  observe(kWhole, outcome.total_s);
  observe(kQueue, outcome.queue_s);
  observe(kPromptSize, static_cast<double>(usage.prompt_tokens));
  observe(kAnswerSize, static_cast<double>(usage.generated_tokens));
  if (outcome.first_token_s < 0) return;
  const double decode = std::max(outcome.total_s - outcome.first_token_s, 0.0);
  observe(kPrefill, outcome.first_token_s - std::max(outcome.queue_s, 0.0));
  observe(kDecode, decode);
  const auto choices = static_cast<int64_t>(std::max<size_t>(outcome.reasons.size(), 1));
  const int64_t intervals = usage.generated_tokens / choices - 1;
  if (intervals > 0) observe(kPerToken, decode / static_cast<double>(intervals), intervals);
}

void Metrics::Answered(std::string_view route, int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[{std::string(route), status}];
}

void Metrics::UnknownFields(int64_t count) {
  const std::lock_guard lock(mutex_);
  unknown_fields_ += count;
}

Metrics::FirstTokens Metrics::first_tokens() const {
  const std::lock_guard lock(mutex_);
  FirstTokens all;
  for (const auto& entry : models_) {
    all.count += entry.second.histograms[kFirstToken].count();
    all.sum_s += entry.second.histograms[kFirstToken].sum();
  }
  return all;
}

void Metrics::AppendCounters(const std::map<std::string, OfModel>& models, std::string& text) {
  struct Counter {
    Family family;
    int64_t OfModel::*value;
  };
  const auto counters = std::to_array<Counter>({
      {{"tutti_prompt_tokens_total", "vllm:prompt_tokens_total", "Prompt tokens, found ones too."},
       &OfModel::prompt_tokens},
      {{"tutti_cached_tokens_total", "vllm:prefix_cache_hits_total",
        "Prompt tokens that an earlier request had computed."},
       &OfModel::cached_tokens},
      {{"", "vllm:prefix_cache_queries_total", "Prompt tokens."}, &OfModel::prompt_tokens},
      {{"tutti_generation_tokens_total", "vllm:generation_tokens_total", "Generated tokens."},
       &OfModel::generated_tokens},
      {{"tutti_requests_abandoned_total", "", "Requests whose client went away."},
       &OfModel::abandoned},
      {{"tutti_abandoned_tokens_total", "", "Tokens of requests whose client went away."},
       &OfModel::abandoned_tokens},
      {{"tutti_requests_failed_total", "", "Requests that failed after they were accepted."},
       &OfModel::failed},
  });
  for (const Counter& counter : counters) {
    for (const std::string_view name : {counter.family.own, counter.family.vllm}) {
      if (name.empty()) continue;
      AppendType(name, "counter", counter.family.help, text);
      for (const auto& [model, of] : models) {
        text += fmt::format("{}{{{}}} {}\n", name, ModelLabel(model), of.*counter.value);
      }
    }
  }
  for (const std::string_view name : {"tutti_answers_total", "vllm:request_success_total"}) {
    AppendType(name, "counter", "Answers that ended, by why.", text);
    for (const auto& [model, of] : models) {
      std::map<std::string_view, int64_t> by_label;
      for (size_t i = 0; i < kFinishReasons; ++i) by_label[kFinishedLabels[i]] += of.finished[i];
      for (const auto& [label, count] : by_label) {
        text += fmt::format("{}{{{},finished_reason=\"{}\"}} {}\n", name, ModelLabel(model), label,
                            count);
      }
    }
  }
  for (size_t i = 0; i < kHistograms; ++i) {
    for (const std::string_view name : {kHistogramFamilies[i].own, kHistogramFamilies[i].vllm}) {
      AppendType(name, "histogram", kHistogramFamilies[i].help, text);
      for (const auto& [model, of] : models)
        text += of.histograms[i].Lines(name, ModelLabel(model));
    }
  }
}

void Metrics::AppendGauges(const std::vector<ModelStatistics>& gauges, std::string& text) {
  using Read = std::function<double(const scheduler::Statistics&)>;
  const auto number = [](auto member) {
    return Read(
        [member](const scheduler::Statistics& s) { return static_cast<double>(s.*member); });
  };
  using scheduler::Statistics;
  const Read used = [](const Statistics& s) {
    const auto total = static_cast<double>(s.pages.total);
    return total > 0 ? (total - static_cast<double>(s.pages.available())) / total : 0;
  };
  const std::vector<std::pair<Family, Read>> families = {
      {{"tutti_sequences_running", "vllm:num_requests_running", "Sequences computed in turns."},
       number(&Statistics::running)},
      {{"tutti_sequences_waiting", "vllm:num_requests_waiting", "Sequences without memory."},
       number(&Statistics::waiting)},
      {{"tutti_queued_requests", "", "Requests that have not started."},
       number(&Statistics::queued_requests)},
      {{"tutti_queued_prompt_tokens", "", "Prompt tokens of requests that have not started."},
       number(&Statistics::queued_prompt_tokens)},
      {{"tutti_kv_cache_used_ratio", "vllm:kv_cache_usage_perc",
        "Pages of keys and values in use, 0 to 1; remembered ones count as free."},
       used},
      {{"tutti_tokens_per_second", "", "Tokens computed per second, lately."},
       number(&Statistics::tokens_per_s)},
      {{"tutti_steps_total", "", "Steps of the engine."}, number(&Statistics::steps)},
      {{"tutti_step_seconds_total", "", "Time inside of the engine."}, number(&Statistics::step_s)},
      {{"tutti_preemptions_total", "vllm:num_preemptions_total",
        "Sequences that gave their memory back and were computed again."},
       number(&Statistics::preemptions)},
      {{"tutti_drafted_tokens_total", "vllm:spec_decode_num_draft_tokens_total",
        "Tokens that were guessed and verified."},
       [](const Statistics& s) {
         return static_cast<double>(s.drafts[0].drafted + s.drafts[1].drafted);
       }},
      {{"tutti_accepted_tokens_total", "vllm:spec_decode_num_accepted_tokens_total",
        "Guessed tokens that came true."},
       [](const Statistics& s) {
         return static_cast<double>(s.drafts[0].accepted + s.drafts[1].accepted);
       }},
      {{"tutti_prefix_disk_pages", "", "Pages of keys and values that the disk holds."},
       [](const Statistics& s) { return static_cast<double>(s.disk.pages); }},
      {{"tutti_prefix_disk_written_total", "", "Pages that were written to the disk."},
       [](const Statistics& s) { return static_cast<double>(s.disk.written); }},
      {{"tutti_prefix_disk_hits_total", "", "Pages that were read from the disk."},
       [](const Statistics& s) { return static_cast<double>(s.disk.hits); }},
      {{"tutti_requests_refused_total", "", "Requests for which the queue had no room."},
       number(&Statistics::refused)},
  };
  for (const auto& family : families) {
    for (const std::string_view name : {family.first.own, family.first.vllm}) {
      if (name.empty()) continue;
      AppendType(name, name.ends_with("_total") ? "counter" : "gauge", family.first.help, text);
      for (const ModelStatistics& of : gauges) {
        text +=
            fmt::format("{}{{{}}} {}\n", name, ModelLabel(of.model), family.second(of.scheduler));
      }
    }
  }
}

std::string Metrics::Text(const std::vector<ModelStatistics>& gauges, int64_t connections) const {
  std::string text;
  AppendGauges(gauges, text);
  const std::lock_guard lock(mutex_);
  AppendCounters(models_, text);
  AppendType("tutti_http_responses_total", "counter", "Responses, by route and status.", text);
  for (const auto& [key, count] : responses_) {
    text += fmt::format("tutti_http_responses_total{{route=\"{}\",status=\"{}\"}} {}\n",
                        Escaped(key.first), key.second, count);
  }
  AppendType("tutti_http_connections", "gauge", "Open connections.", text);
  text += fmt::format("tutti_http_connections {}\n", connections);
  AppendType("tutti_unknown_fields_total", "counter", "Fields of requests that mean nothing here.",
             text);
  text += fmt::format("tutti_unknown_fields_total {}\n", unknown_fields_);
  return text;
}

}  // namespace tutti::server
