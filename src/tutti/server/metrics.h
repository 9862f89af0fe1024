// What has happened, for people with dashboards: the text format of Prometheus (version 0.0.4),
// under Tutti's own names and those that dashboards made for vLLM expect.
//
// Threads: any. Errors: none.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/scheduler/scheduler.h"
#include "tutti/server/generation.h"
#include "tutti/server/models.h"

namespace tutti::server {

// Counts of values up to each bound, as Prometheus has it.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}
  void Observe(double value, int64_t times = 1);
  // The lines of `name`, without its TYPE; `labels` is `model_name="x"`.
  std::string Lines(std::string_view name, std::string_view labels) const;
  int64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;  // of a constant
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  double sum_ = 0;
};

class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A request for text has come to its end.
  void Finished(const std::string& model, const Outcome& outcome);
  // A response of the route, whatever it is.
  void Answered(std::string_view route, int status);
  void UnknownFields(int64_t count);

  std::string Text(const std::vector<ModelStatistics>& gauges, int64_t connections) const;
  // Times to the first token, of all models.
  struct FirstTokens {
    int64_t count = 0;
    double sum_s = 0;
  };
  FirstTokens first_tokens() const;

 private:
  struct OfModel {
    OfModel();
    std::array<int64_t, kFinishReasons> finished = {};
    int64_t abandoned = 0;
    int64_t failed = 0;
    int64_t prompt_tokens = 0;
    int64_t cached_tokens = 0;
    int64_t generated_tokens = 0;
    int64_t abandoned_tokens = 0;
    std::vector<Histogram> histograms;
  };
  static void AppendCounters(const std::map<std::string, OfModel>& models, std::string& text);
  static void AppendGauges(const std::vector<ModelStatistics>& gauges, std::string& text);

  mutable std::mutex mutex_;
  std::map<std::string, OfModel> models_;
  std::map<std::pair<std::string, int>, int64_t> responses_;  // by route and status
  int64_t unknown_fields_ = 0;
};

}  // namespace tutti::server
