#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;
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
  auto x = read(
    with_lines("    base_url: http://localhost:8000/v1/\n"
               "    api: responses\n"
               "    stream: false\n"
               "    sampling: {temperature: 0.8, max_output_tokens: 99, reasoning_effort: high,\n"
               "               extra: {top_p: 0.9}}\n"
               "    capabilities: {temperature: false, system_role: user, streamed_usage: false,\n"
               "                   cache_marks: true, output_limit: max_completion_tokens,\n"
               "                   reasons: true}\n"
               "    limits: {in_flight: 3, requests_per_minute: 4, tokens_per_minute: 5}\n"
               "    price: {input: $1.25, cached_input: 0.31, cache_write: 2, output: 10}\n"
               "    idle_timeout: 3s\n"
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
  EXPECT_EQ(model->price.input, 1.25);
  EXPECT_EQ(model->price.cached_input, 0.31);
  EXPECT_EQ(model->price.output, 10);
  EXPECT_EQ(model->price.cache_write, 2);
  EXPECT_EQ(model->timeout, 120);
  EXPECT_EQ(model->idle_timeout, 3);
  EXPECT_EQ(model->api, "responses");
  EXPECT_FALSE(model->stream);
  EXPECT_FALSE(model->thinking_tokens);
  EXPECT_EQ(model->reasoning_effort, "high");
  EXPECT_EQ(model->extra, R"({"top_p":0.9})");
  EXPECT_EQ(model->can,
            (model_capabilities{false, false, true, true, "max_completion_tokens", "user"}));
  EXPECT_THAT(model->fallback, ElementsAre("spare"));
}

TEST(models, an_address_that_is_not_given_is_openais) {
  EXPECT_EQ(read(sample).value.model("strong")->base_url, "https://api.openai.com/v1");
}

TEST(models, cached_input_costs_as_much_as_input_unless_said_otherwise) {
  EXPECT_EQ(read(sample).value.model("strong")->price.cached_input, 1);
}

TEST(models, long_prompts_may_have_prices_of_their_own) {
  auto x = read(with_lines("    price: {input: 1, output: 2, long_prompt: 200000,\n"
                           "            long: {input: 3, output: 4}}\n"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto model = x.value.model("strong");
  EXPECT_EQ(model->long_prompt, 200'000);
  EXPECT_EQ(model->long_price.input, 3);
  EXPECT_EQ(model->long_price.output, 4);
  EXPECT_THAT(mistakes_in(with_lines("    price: {input: 1, output: 2, long_prompt: 200000}\n")),
              ElementsAre(HasSubstr("models.strong.price.long and long_prompt belong together")));
}

TEST(models, budgets_are_of_each_task_or_of_the_run) {
  auto x = read(with_lines("    price: {input: 1, output: 2}\n"
                           "    budget: {queries: 5, tokens: 1000, run: {usd: 2.5}}\n"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->budget, (spend_limit{5, 1'000, 0}));
  EXPECT_EQ(x.value.model("strong")->run_budget, (spend_limit{0, 0, 2.5}));
}

// -- the table of prices ---------------------------------------------------------------------

TEST(models, what_a_known_model_costs_need_not_be_said) {
  read_options options = variables_set({{"OPENAI_API_KEY", "sk-test"}});
  options.configs = LATHE_CONFIGS;
  auto known = with_lines("    model: gpt-5-mini\n");
  known.erase(known.find("    model: large\n"), 17);
  auto model = *read(known, options).value.model("strong");
  EXPECT_EQ(model.price.input, 0.25);
  EXPECT_EQ(model.price.output, 2);
  EXPECT_THAT(model.price_source, HasSubstr("https://"));
  auto own = with_lines("    model: gpt-5-mini\n    price: {input: 7, output: 8}\n");
  own.erase(own.find("    model: large\n"), 17);
  model = *read(own, options).value.model("strong");
  EXPECT_EQ(model.price.input, 7);
  EXPECT_EQ(model.price_source, "");
}

TEST(models, a_known_model_at_another_address_costs_what_nobody_knows) {
  read_options options = variables_set({{"OPENAI_API_KEY", "sk-test"}});
  options.configs = LATHE_CONFIGS;
  auto text = with_lines("    model: gpt-5-mini\n    base_url: http://localhost:8000/v1\n");
  text.erase(text.find("    model: large\n"), 17);
  EXPECT_EQ(read(text, options).value.model("strong")->price, token_prices{});
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
                          "such as ${OPENAI_API_KEY}: keys do not belong in topologies; one in a "
                          "file of its own is named by api_key_file"));
}

namespace {

std::string with_key_file(const std::string& name) {
  return spoilt("api_key: ${OPENAI_API_KEY}", "api_key_file: " + name);
}

} // namespace

TEST(models, a_key_may_be_in_a_file_of_its_own) {
  temporary_folder folder;
  auto file = folder.write("secrets/key", "sk-from-file \n");
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  auto options = variables_set({{"HOME", folder.path().string()}});
  for (auto name : {file.string(), std::string{"~/secrets/key"}}) {
    auto x = read(with_key_file(name), options);
    ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
    EXPECT_EQ(x.value.model("strong")->api_key, "sk-from-file");
    EXPECT_THAT(x.text, testing::HasSubstr("api_key_file: " + file.string()));
    EXPECT_THAT(x.text, testing::Not(testing::HasSubstr("sk-from-file")));
  }
}

TEST(models, a_key_file_is_found_beside_the_topology) {
  temporary_folder folder;
  auto file = folder.write("key", "sk-from-file");
  std::filesystem::permissions(file, std::filesystem::perms{0400});
  auto x = read_topology(folder.write("t.yaml", with_key_file("key")), variables_set({}));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->api_key, "sk-from-file");
}

TEST(models, a_key_file_that_others_can_read_is_refused) {
  temporary_folder folder;
  auto file = folder.write("key", "sk-from-file");
  std::filesystem::permissions(file, std::filesystem::perms{0640});
  EXPECT_THAT(mistakes_in(with_key_file(file.string()), variables_set({})),
              ElementsAre("model 'strong': others can get at the key file " + file.string()
                          + ": chmod 600 " + file.string() + " (t.yaml:7)"));
}

TEST(models, a_key_file_that_is_not_there_is_missed_only_where_it_is_needed) {
  auto text = with_key_file("sk-a-key-by-mistake");
  EXPECT_THAT(mistakes_in(text, variables_set({})),
              ElementsAre("model 'strong': the file that api_key_file names is not there "
                          "(t.yaml:7)"));
  auto options = variables_set({});
  options.llm_override = "replay";
  EXPECT_THAT(mistakes_in(text, options), IsEmpty());
}

TEST(models, a_model_has_one_key) {
  EXPECT_THAT(mistakes_in(with_lines("    api_key_file: key\n    price: {input: 1, output: 2}\n")),
              ElementsAre("t.yaml:8:19: models.strong.api_key_file stands beside an api_key: keep "
                          "one of them ('api_key:' without a value takes an inherited one away)"));
}

TEST(models, an_authority_of_its_own_is_found_beside_the_topology) {
  temporary_folder folder;
  auto ca = folder.write("corp.pem", "");
  auto text = with_lines("    ca_file: corp.pem\n    price: {input: 1, output: 2}\n");
  auto x = read_topology(folder.write("t.yaml", text), with_key());
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->ca_file, ca.string());
  EXPECT_THAT(x.text, testing::HasSubstr("ca_file: " + ca.string()));
  EXPECT_THAT(mistakes_in(text), ElementsAre("t.yaml:8:14: models.strong.ca_file names a file that "
                                             "is not there: 'corp.pem' in here or ."));
}

TEST(models, an_address_may_come_from_the_environment) {
  auto text = with_lines("    base_url: ${SERVER}/v1\n");
  auto options = variables_set({{"OPENAI_API_KEY", "k"}, {"SERVER", "http://box:80"}});
  EXPECT_EQ(read(text, options).value.model("strong")->base_url, "http://box:80/v1");
  auto bad = variables_set({{"OPENAI_API_KEY", "k"}, {"SERVER", "box"}});
  EXPECT_THAT(mistakes_in(text, bad),
              ElementsAre("t.yaml:8:15: models.strong.base_url must be an address such as "
                          "https://host:8000/v1, without a user, a password or a query"));
}

TEST(models, an_address_that_cannot_be_used_is_refused_and_not_repeated) {
  for (auto url : {"https://me:pass@host/v1", "https://me:pass@${HOST}", "https://host:99999/v1",
                   "https://host/v1?key=k", "'http://[::1/v1'"})
    EXPECT_THAT(mistakes_in(with_lines(std::string{"    base_url: "} + url + "\n"),
                            variables_set({{"OPENAI_API_KEY", "k"}, {"HOST", "h"}})),
                testing::Contains("t.yaml:8:15: models.strong.base_url must be an address such as "
                                  "https://host:8000/v1, without a user, a password or a query"))
      << url;
}

TEST(models, each_provider_is_at_home_somewhere) {
  auto at_home = [](const std::string& provider) {
    auto x = read(spoilt("provider: openai", "provider: " + provider));
    return x.ok() ? x.value.model("strong")->base_url : to_string(x.mistakes);
  };
  EXPECT_EQ(at_home("anthropic"), "https://api.anthropic.com/v1");
  EXPECT_EQ(at_home("gemini"), "https://generativelanguage.googleapis.com/v1beta");
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: gemini\n    api: responses")),
              ElementsAre("t.yaml:6:10: models.strong.api is a choice that only 'provider: openai' "
                          "and 'mailbox' have"));
}

// -- sampling -------------------------------------------------------------------------------

namespace {

std::string with_sampling(const std::string& provider, const std::string& sampling) {
  return spoilt("provider: openai", "provider: " + provider + "\n    sampling: {" + sampling + "}");
}

// The model's own parameters as JSON, or what is wrong with them.
std::string extra_of(const std::string& provider, const std::string& extra) {
  auto x = read(with_sampling(provider, "extra: {" + extra + "}"));
  return x.ok() ? x.value.model("strong")->extra : to_string(x.mistakes);
}

constexpr auto no_extra = " is no extra: Lathe sets it itself, or could not read what comes of it";

} // namespace

TEST(models, thinking_is_a_part_of_the_output) {
  EXPECT_THAT(
    mistakes_in(with_sampling("anthropic", "max_output_tokens: 2000, thinking_tokens: 2000")),
    ElementsAre("t.yaml:6:58: models.strong.sampling.thinking_tokens must be less than "
                "max_output_tokens, of which they are a part"));
}

TEST(models, each_provider_has_its_way_to_say_how_much_is_thought) {
  auto thinking = [](const std::string& provider, const std::string& sampling) {
    auto x = read(with_sampling(provider, sampling));
    EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
    return x.value.model("strong")->thinking_tokens;
  };
  EXPECT_EQ(thinking("anthropic", "thinking_tokens: 1024"), 1024);
  EXPECT_EQ(thinking("gemini", "thinking_tokens: 0"), 0);
  EXPECT_EQ(thinking("gemini", "thinking_tokens: -1"), -1);
  EXPECT_EQ(thinking("gemini", "reasoning_effort: low"), std::nullopt);
}

TEST(models, a_way_to_think_that_a_provider_would_pass_over_is_refused) {
  EXPECT_THAT(mistakes_in(with_sampling("openai", "thinking_tokens: 2000")),
              ElementsAre("t.yaml:6:33: models.strong.sampling.thinking_tokens is a key that only "
                          "'provider: anthropic' and 'gemini' have: here it is reasoning_effort"));
  EXPECT_THAT(mistakes_in(with_sampling("anthropic", "reasoning_effort: high")),
              ElementsAre("t.yaml:6:34: models.strong.sampling.reasoning_effort is a key that only "
                          "'provider: openai', 'gemini' and 'mailbox' have: here it is "
                          "thinking_tokens"));
  EXPECT_THAT(mistakes_in(with_sampling("gemini", "reasoning_effort: low, thinking_tokens: 0")),
              ElementsAre("t.yaml:6:34: models.strong.sampling.reasoning_effort stands beside "
                          "thinking_tokens: newer models take the one, older ones the other, none "
                          "both"));
  for (auto few : {"1023", "0", "-1"})
    EXPECT_THAT(mistakes_in(with_sampling("anthropic", std::string{"thinking_tokens: "} + few)),
                ElementsAre("t.yaml:6:33: models.strong.sampling.thinking_tokens must be at least "
                            "1024, the least that Anthropic's server takes"));
}

TEST(models, what_stands_in_for_a_model_keeps_its_sampling) {
  temporary_folder folder;
  folder.write("demo/coder/1.md", "---\nanswer");
  auto options = variables_set({});
  options.llm_override = "scripted";
  options.configs = folder.path();
  auto x = read(
    with_sampling("gemini", "thinking_tokens: -1, extra: {generationConfig: {topP: 1}}"), options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto again = read(x.text, variables_set({}));
  ASSERT_TRUE(again.ok()) << to_string(again.mistakes);
  EXPECT_EQ(again.value.model("strong")->provider, provider_kind::scripted);
}

TEST(models, parameters_of_a_server_are_json) {
  EXPECT_EQ(extra_of("openai", "top_p: 0.95, top_k: 20, min_p: -1.5e-3, stop: null, echo: false"),
            R"({"top_p":0.95,"top_k":20,"min_p":-1.5e-3,"stop":null,"echo":false})");
  EXPECT_EQ(extra_of("openai", "provider: {order: [deepinfra, 7, [true]], sort: {}}, empty: ~"),
            R"({"provider":{"order":["deepinfra",7,[true]],"sort":{}},"empty":null})");
  EXPECT_EQ(extra_of("openai", R"(quote: 'say "so"', path: 'a\b', break: "a\nb", ö: ü)"),
            R"({"quote":"say \"so\"","path":"a\\b","break":"a\nb","ö":"ü"})");
}

TEST(models, what_is_quoted_is_a_text) {
  EXPECT_EQ(extra_of("openai", R"(a: '1', b: "true", c: 'null', d: "", e: [1, '1'])"),
            R"({"a":"1","b":"true","c":"null","d":"","e":[1,"1"]})");
}

TEST(models, what_json_calls_no_number_is_a_text) {
  for (auto text : {"0x10", "1_000", "+1", ".5", "5.", "01", "1e", "1e999", ".inf", "nan", "True",
                    "yes", "1.2.3", "1234567890123456789", "-"})
    EXPECT_EQ(extra_of("openai", std::string{"x: "} + text),
              R"({"x":")" + std::string{text} + R"("})");
  for (auto text : {"0", "-0", "10", "0.5", "1e3", "1E+3", "-2.5e-3", "123456789012345678"})
    EXPECT_EQ(extra_of("openai", std::string{"x: "} + text), R"({"x":)" + std::string{text} + "}");
}

TEST(models, what_lathe_sets_itself_is_no_extra) {
  const std::vector<std::pair<std::string, std::string>> all = {{"openai", "model"},
                                                                {"openai", "messages"},
                                                                {"openai", "stream"},
                                                                {"openai", "stream_options"},
                                                                {"openai", "max_tokens"},
                                                                {"openai", "max_completion_tokens"},
                                                                {"openai", "temperature"},
                                                                {"openai", "reasoning_effort"},
                                                                {"openai", "n"},
                                                                {"openai", "tools"},
                                                                {"anthropic", "model"},
                                                                {"anthropic", "messages"},
                                                                {"anthropic", "system"},
                                                                {"anthropic", "stream"},
                                                                {"anthropic", "max_tokens"},
                                                                {"anthropic", "temperature"},
                                                                {"anthropic", "tools"},
                                                                {"gemini", "contents"},
                                                                {"gemini", "tools"},
                                                                {"gemini", "systemInstruction"},
                                                                {"gemini", "generation_config"}};
  for (const auto& [provider, member] : all)
    EXPECT_THAT(extra_of(provider, member + ": 1"),
                HasSubstr("models.strong.sampling.extra." + member + no_extra))
      << provider;
  for (auto member : {"model", "input", "instructions", "stream", "store", "max_output_tokens",
                      "temperature", "tools"})
    EXPECT_THAT(extra_of("openai\n    api: responses", std::string{member} + ": 1"),
                HasSubstr(no_extra))
      << member;
}

TEST(models, of_geminis_settings_only_those_that_lathe_sets_are_refused) {
  EXPECT_EQ(extra_of("gemini", "generationConfig: {topP: 0.9, topK: 40}"),
            R"({"generationConfig":{"topP":0.9,"topK":40}})");
  for (auto member : {"maxOutputTokens", "temperature", "thinkingConfig", "candidateCount"})
    EXPECT_THAT(extra_of("gemini", "generationConfig: {" + std::string{member} + ": 1}"),
                HasSubstr("sampling.extra.generationConfig." + std::string{member} + no_extra));
  EXPECT_THAT(extra_of("gemini", "generationConfig: 7"), HasSubstr("must be a map"));
}

TEST(models, what_lathe_sets_only_when_it_is_told_to_may_be_set_otherwise) {
  EXPECT_EQ(extra_of("anthropic", "thinking: {type: adaptive}, output_config: {effort: low}"),
            R"({"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}})");
  EXPECT_THAT(
    mistakes_in(with_sampling("anthropic", "thinking_tokens: 1024, extra: {thinking: 1}")),
    ElementsAre(HasSubstr(no_extra)));
  EXPECT_EQ(extra_of("openai\n    api: responses", "reasoning: {summary: auto}"),
            R"({"reasoning":{"summary":"auto"}})");
  EXPECT_THAT(mistakes_in(with_sampling("openai\n    api: responses",
                                        "reasoning_effort: low, extra: {reasoning: 1}")),
              ElementsAre(HasSubstr(no_extra)));
}

TEST(models, extra_is_a_map_without_variables) {
  EXPECT_THAT(mistakes_in(with_sampling("openai", "extra: [top_p]")),
              ElementsAre(HasSubstr("models.strong.sampling.extra must be a map, not a list")));
  EXPECT_THAT(extra_of("openai", "a: [{b: '${KEY}'}]"),
              HasSubstr("models.strong.sampling.extra cannot hold '${...}'"));
  EXPECT_EQ(extra_of("openai", ""), "");
}

TEST(models, a_standalone_topology_has_the_same_extra) {
  auto x = read(with_sampling(
    "openai",
    R"(extra: {stop: ["\n\n", "a: b", '#', '', '7'], a: ~, b: {c: [1, 2.50, x]}, d: []})"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->extra,
            R"({"stop":["\n\n","a: b","#","","7"],"a":null,"b":{"c":[1,2.50,"x"]},"d":[]})");
  auto again = read(x.text);
  ASSERT_TRUE(again.ok()) << to_string(again.mistakes);
  EXPECT_EQ(again.value.model("strong")->extra, x.value.model("strong")->extra);
}

// -- capabilities ---------------------------------------------------------------------------

namespace {

reading with_table(const std::string& table, const std::string& lines = "") {
  temporary_folder folder;
  folder.write("capabilities.yaml", table);
  auto options = with_key();
  options.configs = folder.path();
  return read(with_lines(lines + "    price: {input: 1, output: 2}\n"), options);
}

model_capabilities found_in(const std::string& table, const std::string& lines = "") {
  auto x = with_table(table, lines);
  EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
  return x.ok() ? x.value.model("strong")->can : model_capabilities{};
}

} // namespace

TEST(models, what_a_server_takes_is_looked_up) {
  EXPECT_EQ(found_in("[]"), model_capabilities{});
  auto table = "- {provider: openai, system_role: developer, temperature: false}\n"
               "- {provider: openai, host: api.openai.com, model: [x*, lar*], temperature: true}\n"
               "- {provider: openai, host: '*.azure.com', streamed_usage: false}\n"
               "- {provider: openai, model: small, streamed_usage: false}\n"
               "- {provider: gemini, streamed_usage: false}\n";
  model_capabilities expected;
  expected.system_role = "developer";
  EXPECT_EQ(found_in(table), expected);
  expected.temperature = false;
  EXPECT_EQ(found_in(table, "    base_url: http://localhost:80/v1\n"), expected);
  expected.system_role = "user";
  EXPECT_EQ(found_in(table, "    base_url: http://localhost:80/v1\n"
                            "    capabilities: {system_role: user}\n"),
            expected);
}

TEST(models, what_a_server_takes_is_looked_up_by_an_address_from_the_environment_too) {
  auto options = variables_set({{"OPENAI_API_KEY", "k"}, {"SERVER", "https://api.openai.com"}});
  options.configs = LATHE_CONFIGS;
  auto x = read(with_lines("    base_url: ${SERVER}/v1\n"), options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->can.output_limit, "max_completion_tokens");
}

TEST(models, a_mistake_in_the_table_is_shown_where_it_stands) {
  auto x = with_table("- {provider: openai, temprature: false}\n");
  ASSERT_FALSE(x.ok());
  EXPECT_THAT(to_string(x.mistakes),
              testing::HasSubstr("capabilities.yaml:1:22: unknown key 'temprature' in "
                                 "capabilities; did you mean 'temperature'?"));
}

TEST(models, the_table_that_lathe_ships_knows_models_that_reason) {
  auto options = with_key();
  options.configs = LATHE_CONFIGS;
  auto x = read(spoilt("model: large", "model: gpt-5-mini"), options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->can,
            (model_capabilities{false, true, false, true, "max_completion_tokens", "developer"}));
}

TEST(models, providers_of_later_versions_point_to_what_works_now) {
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: replay")),
              ElementsAre("t.yaml:5:15: models.strong.provider 'replay' is not in this version of "
                          "Lathe; any server that speaks OpenAI's chat completions works with "
                          "'provider: openai' and its base_url"));
}

TEST(models, an_unknown_provider_gets_a_suggestion) {
  EXPECT_THAT(mistakes_in(spoilt("provider: openai", "provider: opnai")),
              ElementsAre("t.yaml:5:15: models.strong.provider must be openai, anthropic, gemini, "
                          "scripted or mailbox, not 'opnai'; did you mean 'openai'?"));
}

TEST(models, what_a_provider_needs_is_asked_for) {
  EXPECT_THAT(mistakes_in(spoilt("    provider: openai\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.provider is missing: openai, anthropic, "
                          "gemini, scripted or mailbox"));
  EXPECT_THAT(mistakes_in(spoilt("    model: large\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.model is missing: say which model the server "
                          "shall use"));
  EXPECT_THAT(mistakes_in(spoilt("    api_key: ${OPENAI_API_KEY}\n", "")),
              ElementsAre("t.yaml:4:3: models.strong.api_key is missing: add 'api_key: "
                          "${OPENAI_API_KEY}', an api_key_file, or the base_url of a server that "
                          "needs none"));
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
  EXPECT_EQ(model->price.output, 0) << "nothing is paid";
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

// -- mailboxes ------------------------------------------------------------------------------

namespace {

std::string with_mailbox(const std::string& lines = "") {
  return spoilt("    provider: openai\n    model: large\n    api_key: ${OPENAI_API_KEY}\n",
                "    provider: mailbox\n    model: gpt-5\n" + lines);
}

} // namespace

TEST(models, a_mailbox_needs_no_key_and_takes_what_openais_servers_take) {
  temporary_folder folder;
  folder.write("capabilities.yaml", "- {provider: openai, host: api.openai.com, model: gpt-5,\n"
                                    "   output_limit: max_completion_tokens}\n");
  auto options = variables_set({});
  options.configs = folder.path();
  auto x = read(with_mailbox("    api: responses\n    wait: 90m\n"), options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto model = x.value.model("strong");
  EXPECT_EQ(model->provider, provider_kind::mailbox);
  EXPECT_EQ(model->api, "responses");
  EXPECT_EQ(model->can.output_limit, "max_completion_tokens");
  EXPECT_EQ(model->wait, 5400);
  EXPECT_FALSE(model->stream);
  EXPECT_EQ(model->folder, "") << "it is in the run's folder, wherever that is";
  EXPECT_EQ(x.text.find("folder"), std::string::npos) << x.text;
}

TEST(models, the_folder_of_a_mailbox_is_found_again_from_the_runs_own_topology) {
  temporary_folder folder;
  auto file = folder.write("there/t.yaml", with_mailbox("    folder: ../mail\n"));
  auto x = read_topology(file, with_key());
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->folder, (folder.path() / "mail").string());
  auto again = read(x.text);
  ASSERT_TRUE(again.ok()) << to_string(again.mistakes);
  EXPECT_EQ(again.value.model("strong")->folder, x.value.model("strong")->folder);
}

TEST(models, what_means_nothing_to_a_mailbox_is_refused_and_so_are_its_keys_elsewhere) {
  EXPECT_THAT(mistakes_in(with_mailbox("    limits: {in_flight: 2}\n    timeout: 2m\n")),
              ElementsAre("t.yaml:7:5: models.strong.limits means nothing to a mailbox: whoever "
                          "answers sees to it",
                          "t.yaml:8:14: models.strong.timeout means nothing to a mailbox: whoever "
                          "answers sees to it"));
  EXPECT_THAT(mistakes_in(with_lines("    folder: mail\n")),
              ElementsAre("t.yaml:8:13: models.strong.folder is a key that only 'provider: "
                          "mailbox' has"));
}

TEST(models, each_mailbox_has_a_folder_of_its_own) {
  auto two = with_mailbox("    folder: mail\n");
  two.replace(two.find("agents:\n"), 0,
              "  other: {provider: mailbox, model: x, folder: ./mail/}\n");
  EXPECT_THAT(mistakes_in(two),
              ElementsAre("t.yaml:9:48: models.other.folder is that of models.strong: each model "
                          "needs a mailbox of its own"));
}

TEST(models, the_override_answers_a_mailbox_too) {
  temporary_folder folder;
  folder.write("demo/coder/1.md", "---\nanswer");
  auto options = variables_set({});
  options.llm_override = "scripted";
  options.configs = folder.path();
  auto x = read(with_mailbox("    api: responses\n    folder: mail\n    wait: 1h\n"), options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto again = read(x.text, variables_set({}));
  ASSERT_TRUE(again.ok()) << to_string(again.mistakes);
  EXPECT_EQ(again.value.model("strong")->provider, provider_kind::scripted);
}
