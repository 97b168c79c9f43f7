#include "actors/prompt.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::actors;
using testing::HasSubstr;

namespace {

agent_config with_template(std::string text) {
  agent_config result;
  result.name = "coder";
  result.prompt = std::move(text);
  return result;
}

task_profile profile() {
  task_profile result;
  result.where = {"cpu, 1 thread", "torch 2.11", "strict", ""};
  result.baselines = {{"eager", 0.000612}, {"compile", 0.0005}};
  return result;
}

std::string text_of(const caf::expected<rendered_prompt>& x) {
  return x ? x->text : describe(x.error());
}

} // namespace

TEST(prompt, carries_hardware_measured_times_and_tolerance) {
  plan_request x{"mlp", 1, {"mlp", "mlp.py", "class Model: pass"}, profile()};
  auto agent = with_template("{{{device}}}|{{{software}}}|{{{judge}}}|{{{reference_ms}}}|"
                             "{{#baselines}}{{{name}}}={{{ms}}} {{/baselines}}|{{{ideas}}}");
  EXPECT_EQ(text_of(render_prompt(agent, x)),
            "cpu, 1 thread|torch 2.11|strict|0.612|eager=0.612 compile=0.5 |10");
}

TEST(prompt, sources_are_not_escaped) {
  plan_request x{"mlp", 1, {"mlp", "mlp.py", "a < b && c > \"d\""}, profile()};
  EXPECT_EQ(text_of(render_prompt(with_template("{{{task_source}}}"), x)), "a < b && c > \"d\"");
}

TEST(prompt, an_assignment_shows_parents_and_what_failed) {
  assignment x{"mlp", 1, {"mlp", "", ""}, profile(), "fuse", {{"coder#2", "source", 0.0003, 2.04, "bound by memory"}}, {{"coder#1", "tile", "incorrect: all off"}}};
  auto agent = with_template("{{{idea}}}{{#parents}}[{{{id}}} {{{source}}} {{{ms}}} {{{speedup}}} {{{insight}}}]{{/parents}}"
                             "{{#history}}({{{id}}} {{{idea}}} {{{result}}}){{/history}}");
  EXPECT_EQ(text_of(render_prompt(agent, x)),
            "fuse[coder#2 source 0.3 2.04 bound by memory](coder#1 tile incorrect: all off)");
}

TEST(prompt, a_section_without_idea_is_left_out) {
  assignment x{"mlp", 1, {}, profile(), "", {}, {}};
  EXPECT_EQ(
    text_of(render_prompt(with_template("a{{#idea}}b{{/idea}}{{^parents}}c{{/parents}}"), x)),
    "ac");
}

TEST(prompt, a_fix_counts_its_attempts) {
  fix_request x;
  x.verdict.outcome = outcome::incorrect;
  x.verdict.evidence = "one element off";
  x.history = {{"coder#1", "", "incorrect: x"}, {"fixer#1", "", "incorrect: y"}};
  auto agent = with_template("{{{outcome}}}: {{{evidence}}} {{{attempt}}} {{{attempts_left}}}");
  EXPECT_EQ(text_of(render_prompt(agent, x)), "incorrect: one element off 2 3");
}

TEST(prompt, a_template_that_does_not_parse_is_the_users_mistake) {
  auto x = render_prompt(with_template("{{#open}} never closed"), plan_request{});
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error(), errc::user_error);
  EXPECT_THAT(describe(x.error()), HasSubstr("agent 'coder'"));
}

TEST(prompt, what_is_the_same_in_every_question_is_the_system_message) {
  plan_request x{"mlp", 1, {"mlp", "mlp.py", "class Model: pass"}, profile()};
  auto parted =
    render_prompt(with_template("# {{{task_name}}}\n\n{{!question}}\n\n{{{ideas}}}!"), x);
  ASSERT_TRUE(parted) << describe(parted.error());
  EXPECT_EQ(parted->system, "# mlp\n");
  EXPECT_EQ(parted->text, "\n10!");
  auto whole = render_prompt(with_template("# {{{task_name}}} {{!question}} x"), x);
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_EQ(whole->system, "") << "a comment amid a line parts nothing";
}

TEST(prompt, a_section_cannot_reach_over_both_parts) {
  for (auto* text :
       {"{{#idea}}\n{{!question}}\n{{/idea}}", "a\n{{!question}}\n{{#idea}} never closed"}) {
    auto x = render_prompt(with_template(text), assignment{});
    EXPECT_EQ(x.error(), errc::user_error) << text;
  }
}
