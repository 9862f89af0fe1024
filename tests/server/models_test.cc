#include "tutti/server/models.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/server/fake_model.h"

namespace tutti::server {
namespace {

struct Loads {
  std::map<std::string, int> count;
  Status failure;
};

ModelSource Source(const std::string& name, Loads& loads) {
  return {
      .name = name, .aliases = {name + ".gguf"}, .load = [name, &loads]() -> Result<HostedModel> {
        ++loads.count[name];
        if (!loads.failure.ok()) return loads.failure;
        return testing::MakeFakeModel().hosted;
      }};
}

std::unique_ptr<Models> Make(Loads& loads, ModelsOptions options) {
  std::vector<ModelSource> sources;
  for (const char* name : {"a", "b", "c"}) sources.push_back(Source(name, loads));
  return std::make_unique<Models>(std::move(sources), std::move(options));
}

std::vector<std::string> Loaded(const Models& models) {
  std::vector<std::string> names;
  models.ForEachLoaded([&](const ModelHost& host) { names.push_back(host.name()); });
  return names;
}

TEST(ModelsTest, LoadsWhatIsAskedForOnce) {
  Loads loads;
  const auto models = Make(loads, {});
  EXPECT_TRUE(loads.count.empty());
  EXPECT_TRUE(models->MustLoad("a"));
  EXPECT_FALSE(models->MustLoad("d"));
  const auto a = models->Get("a");
  ASSERT_TRUE(a.ok());
  EXPECT_FALSE(models->MustLoad("a"));
  EXPECT_EQ((*a)->name(), "a");
  EXPECT_EQ(*models->Get("a.gguf"), *a);
  EXPECT_EQ(loads.count, (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(models->last_used(), "a");
  EXPECT_EQ(models->Get("d").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(models->Get("").status().code(), StatusCode::kUsage) << "which of three?";
}

TEST(ModelsTest, TheOneThatWasIdleLongestMakesPlace) {
  Loads loads;
  const auto models = Make(loads, {.max_loaded = 2});
  ASSERT_TRUE(models->Get("a").ok());
  auto b = *models->Get("b");  // held
  ASSERT_TRUE(models->Get("a").ok());
  auto c = *models->Get("c");  // a goes, because b is in use
  EXPECT_EQ(Loaded(*models), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(models->Get("a").status().code(), StatusCode::kResource);
  b.reset();
  EXPECT_TRUE(models->Get("a").ok());
  EXPECT_EQ(loads.count, (std::map<std::string, int>{{"a", 2}, {"b", 1}, {"c", 1}}));
}

TEST(ModelsTest, UnloadsWhatNobodyUses) {
  Loads loads;
  const auto models = Make(loads, {.unload_after_s = 1e-9});
  auto a = *models->Get("a");
  ASSERT_TRUE(models->Get("b").ok());
  models->Sweep();
  EXPECT_EQ(Loaded(*models), std::vector<std::string>{"a"});
}

// A counter that goes back is a restart to whoever draws it.
TEST(ModelsTest, CountersGoOnOverUnloading) {
  Loads loads;
  const auto models = Make(loads, {.unload_after_s = 1e-9});
  EXPECT_TRUE(models->Statistics().empty());
  for (int64_t times = 1; times <= 3; ++times) {
    {
      const auto a = *models->Get("a");
      scheduler::Request request;
      request.prompt = {1, 2, 3};
      request.max_tokens = 5;
      request.ignore_eos = true;
      const auto submitted = a->scheduler().Submit(request);
      ASSERT_TRUE(submitted.ok());
      while ((*submitted)->progress().times.finished_s < 0) (*submitted)->Wait(1);
    }
    for (int wait = 0; wait < 2; ++wait) {  // loaded, and not
      const auto all = models->Statistics();
      ASSERT_EQ(all.size(), 1u);
      EXPECT_EQ(all.front().model, "a");
      EXPECT_EQ(all.front().scheduler.submitted, times);
      EXPECT_EQ(all.front().scheduler.usage.generated_tokens, 5 * times);
      EXPECT_GE(all.front().scheduler.steps, 5 * times);
      models->Sweep();
      EXPECT_TRUE(Loaded(*models).empty());
    }
  }
  EXPECT_EQ(loads.count["a"], 3);
}

TEST(ModelsTest, AFailedLoadIsTriedAgain) {
  Loads loads;
  loads.failure = Error(StatusCode::kIo, "the disk is gone");
  const auto models = Make(loads, {});
  EXPECT_EQ(models->Get("a").status().code(), StatusCode::kIo);
  loads.failure = {};
  EXPECT_TRUE(models->Get("a").ok());
}

TEST(ModelsTest, DrainedWhenNobodyUsesThem) {
  Loads loads;
  const auto models = Make(loads, {});
  auto a = *models->Get("a");
  models->Drain();
  EXPECT_FALSE(models->Drained());
  scheduler::Request request;
  request.prompt = {1, 2, 3};
  EXPECT_EQ(a->scheduler().Submit(request).status().code(), StatusCode::kCancelled);
  a.reset();
  EXPECT_TRUE(models->Drained());
}

}  // namespace
}  // namespace tutti::server
