// tutti list: the models that are already here.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>

#include "tutti/cli/command.h"
#include "tutti/cli/embedded_model.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_list.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/size_text.h"

namespace tutti::cli {
namespace {

class ListCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    DeclareJson(app, json_);
    app.footer(
        "Looks into this folder, ./models, $TUTTI_MODELS (folders, separated by ':') and\n"
        "what Hugging Face, llama.cpp, LM Studio and Ollama keep.");
  }

  Status Run(Console& console) override {
    std::vector<ListedModel> models = ListModels(ModelPlaces::FromEnvironment());
    if (!EmbeddedModel().empty()) {
      models.insert(models.begin(),
                    {std::string(kEmbeddedName), "inside", "GGUF", "", EmbeddedModel().size()});
    }
    if (json_) {
      PrintJson(console, models);
    } else {
      PrintTable(console, models);
    }
    if (models.empty()) console.Say("No models found: 'tutti list --help' says where it looks.");
    return {};
  }

 private:
  static void PrintTable(Console& console, const std::vector<ListedModel>& models) {
    size_t width = 4;
    for (const ListedModel& model : models) width = std::max(width, model.name.size());
    width = std::min<size_t>(width, 48);
    if (!models.empty()) {
      console.Print("{:<{}}  {:>9}  {:<11}  {:<12}  {}\n", "NAME", width, "SIZE", "FORMAT", "FROM",
                    "PATH");
    }
    for (const ListedModel& model : models) {
      console.Print("{:<{}}  {:>9}  {:<11}  {:<12}  {}\n", model.name, width,
                    SizeText(model.size_bytes), model.format, model.source, model.path.string());
    }
  }

  static void PrintJson(Console& console, const std::vector<ListedModel>& models) {
    boost::json::array list;
    for (const ListedModel& model : models) {
      list.push_back({{"name", model.name},
                      {"source", model.source},
                      {"format", model.format},
                      {"size_bytes", model.size_bytes},
                      {"path", model.path.string()}});
    }
    console.Write(ToJson(boost::json::object{{"models", std::move(list)}}) + "\n");
  }

  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeListCommand() { return std::make_unique<ListCommand>(); }

}  // namespace tutti::cli
