#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// The sample with more lines under models.strong.
std::string with_lines(const std::string& lines) {
  return spoilt("    price: {input: 1, output: 2}\n", lines);
}

read_options variables_set(std::map<std::string, std::string> variables) {
  read_options result;
  result.environment = [variables](const std::string& name) -> std::optional<std::string> {
    auto i = variables.find(name);
    return i == variables.end() ? std::nullopt : std::optional{i->second};
  };
  return result;
}

} // namespace

TEST(models, every_key_arrives) {
  auto x =
    read(with_lines("    base_url: http://localhost:8000/v1/\n"
                    "    sampling: {temperature: 0.8, max_output_tokens: 99}\n"
                    "    limits: {in_flight: 3, requests_per_minute: 4, tokens_per_minute: 5}\n"
                    "    price: {input: $1.25, cached_input: 0.31, output: 10}\n"
                    "    timeout: 2m\n"
                    "    fallback: [spare]\n"
                    "  spare: {provider: openai, model: small, base_url: http://b/v1}\n"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto model = x.value.model("strong");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->provider, provider_kind::openai);
  EXPECT_EQ(model->model, "large");
  EXPECT_EQ(model->base_url, "http://localhost:8000/v1");
  EXPECT_EQ(model->api_key, "sk-test");
  EXPECT_EQ(model->temperature, 0.8);
  EXPECT_EQ(model->max_output_tokens, 99);
  EXPECT_EQ(model->in_flight, 3);
  EXPECT_EQ(model->requests_per_minute, 4);
  EXPECT_EQ(model->tokens_per_minute, 5);
  EXPECT_EQ(model->input_price, 1.25);
  EXPECT_EQ(model->cached_input_price, 0.31);
  EXPECT_EQ(model->output_price, 10);
  EXPECT_EQ(model->timeout, 120);
  EXPECT_THAT(model->fallback, ElementsAre("spare"));
}

TEST(models, an_address_that_is_not_given_is_openais) {
  EXPECT_EQ(read(sample).value.model("strong")->base_url, "https://api.openai.com/v1");
}

TEST(models, cached_input_costs_as_much_as_input_unless_said_otherwise) {
  EXPECT_EQ(read(sample).value.model("strong")->cached_input_price, 1);
}

TEST(models, a_key_that_is_not_set_says_which_model_needs_it_and_what_to_do) {
  EXPECT_THAT(mistakes_in(sample, variables_set({})),
              ElementsAre("model 'strong' needs OPENAI_API_KEY, which is not set (t.yaml:7)\n"
                          "to try this topology without a key: --llm scripted"));
  EXPECT_THAT(mistakes_in(sample, variables_set({{"OPENAI_API_KEY", ""}})), testing::SizeIs(1));
}

TEST(models, a_key_with_a_line_break_is_refused_without_being_shown) {
  auto found = mistakes_in(sample, variables_set({{"OPENAI_API_KEY", "sk-1\r\nHost: x"}}));
  EXPECT_THAT(found, ElementsAre("model 'strong' needs OPENAI_API_KEY, which holds a blank, a line "
                                 "break or a sign that no key has (t.yaml:7)"));
}

TEST(models, only_a_model_that_some_agent_asks_needs_its_key) {
  auto lines = "    price: {input: 1, output: 2}\n"
               "  other: {provider: openai, model: x, api_key: '${OTHER_KEY}'}\n";
  EXPECT_THAT(mistakes_in(with_lines(lines)), IsEmpty());
}

TEST(models, a_fallback_of_a_used_model_needs_its_key_too) {
  auto lines = "    fallback: [other]\n"
               "  other: {provider: openai, model: x, api_key: '${OTHER_KEY}'}\n";
  EXPECT_THAT(mistakes_in(with_lines(lines)),
              ElementsAre("model 'other' needs OTHER_KEY, which is not set (t.yaml:9)\n"
                          "to try this topology without a key: --llm scripted"));
}

TEST(models, a_key_in_the_file_itself_is_refused_and_not_repeated) {
  EXPECT_THAT(mistakes_in(spoilt("${OPENAI_API_KEY}", "sk-very-secret")),
              ElementsAre("t.yaml:7:14: models.strong.api_key must name an environment variable, "
                          "such as ${OPENAI_API_KEY}: keys do not belong in files"));
}

TEST(models, an_address_may_come_from_the_environment) {
  auto text = with_lines("    base_url: ${SERVER}/v1\n");
  auto options = variables_set({{"OPENAI_API_KEY", "k"}, {"SERVER", "http://box:80"}});
  EXPECT_EQ(read(text, options).value.model("strong")->base_url, "http://box:80/v1");
  auto bad = variables_set({{"OPENAI_API_KEY", "k"}, {"SERVER", "box"}});
  EXPECT_THAT(mistakes_in(text, bad),
              ElementsAre("t.yaml:8:15: models.strong.base_url must be an address such as "
                          "https://host/v1, without a user or password"));
}

TEST(models, an_address_with_a_password_in_it_is_refused_and_not_repeated) {
  for (auto url : {"https://me:pass@host/v1", "https://me:pass@${HOST}"})
    EXPECT_THAT(mistakes_in(with_lines(std::string{"    base_url: "} + url + "\n"),
                            variables_set({{"OPENAI_API_KEY", "k"}, {"HOST", "h"}})),
                testing::Contains("t.yaml:8:15: models.strong.base_url must be an address such as "
                                  "https://host/v1, without a user or password"))
      << url;
}

TEST(models, providers_of_later_versions_point_to_what_works_now) {
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: gemini")),
              ElementsAre("t.yaml:5:15: models.strong.provider 'gemini' is not in this version of "
                          "Lathe; any server that speaks OpenAI's chat completions works with "
                          "'provider: openai' and its base_url"));
}

TEST(models, an_unknown_provider_gets_a_suggestion) {
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: opnai")),
              ElementsAre("t.yaml:5:15: models.strong.provider must be openai or scripted, not "
                          "'opnai'; did you mean 'openai'?"));
}

TEST(models, what_a_provider_needs_is_asked_for) {
  EXPECT_THAT(mistakes_in(spoilt("    provider: openai\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.provider is missing: openai or scripted"));
  EXPECT_THAT(mistakes_in(spoilt("    model: large\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.model is missing: say which model the server "
                          "shall use"));
  EXPECT_THAT(mistakes_in(spoilt("    api_key: ${OPENAI_API_KEY}\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.api_key is missing: add 'api_key: "
                          "${OPENAI_API_KEY}', or the base_url of a server that needs none"));
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: scripted")),
              ElementsAre("t.yaml:4:3: models.strong.answers is missing: a scripted model answers "
                          "from a folder"));
}

TEST(models, a_folder_of_answers_has_to_be_there) {
  auto text = spoilt("provider: openai", "provider: scripted\n    answers: nowhere");
  EXPECT_THAT(mistakes_in(text), ElementsAre("t.yaml:6:14: models.strong.answers names a folder "
                                             "that is not there: 'nowhere' in here or ."));
}

TEST(models, a_misspelt_limit_is_found_at_its_depth) {
  EXPECT_THAT(mistakes_in(with_lines("    limits: {in_fligth: 3}\n")),
              ElementsAre("t.yaml:8:14: unknown key 'in_fligth' in models.strong.limits; did you "
                          "mean 'in_flight'?"));
}

TEST(models, the_override_answers_used_models_from_the_demo_folder_without_a_key) {
  temporary_folder folder;
  folder.write("demo/coder/1.md", "---\nanswer");
  auto options = variables_set({});
  options.llm_override = "scripted";
  options.configs = folder.path();
  auto x = read(sample, options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto model = x.value.model("strong");
  EXPECT_EQ(model->provider, provider_kind::scripted);
  EXPECT_EQ(model->answers, (folder.path() / "demo").string());
  EXPECT_EQ(model->api_key + model->base_url, "");
  EXPECT_EQ(model->output_price, 0) << "nothing is paid";
  auto again = read(x.text, variables_set({}));
  ASSERT_TRUE(again.ok()) << "the text remembers the choice: " << to_string(again.mistakes);
  EXPECT_EQ(again.value.model("strong")->answers, model->answers);
}

TEST(models, the_override_needs_answers_and_a_word_that_it_knows) {
  auto options = variables_set({});
  options.llm_override = "scripted";
  EXPECT_THAT(mistakes_in(sample, options),
              ElementsAre("--llm scripted needs the folder 'demo' in here or . (t.yaml)"));
  options.llm_override = "magic";
  EXPECT_THAT(mistakes_in(sample, options),
              ElementsAre("--llm takes 'scripted', not 'magic' (t.yaml)"));
}
