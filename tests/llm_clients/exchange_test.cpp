#include "llm_clients/exchange.hpp"

#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;

namespace {

llm_request question() {
  return {"mlp", 7, "coder", "coder", "strong", "be \"brief\"", "make it fast"};
}

llm_answer paid() {
  return {"the answer", "gpt-x", "stop", {1, 900, 100, 450, 0.0125}, 3.25, false};
}

auto texts_of(const journal_append& x) {
  return [contents = x.contents](const std::string& hash) -> caf::expected<std::string> {
    for (const auto& content : contents)
      if (content.hash == hash)
        return content.text;
    return make_error(errc::journal_failed, "no content " + hash);
  };
}

} // namespace

TEST(exchange, a_record_reads_back_as_it_was_written) {
  auto written = exchange_record(question(), paid());
  ASSERT_EQ(written.records.size(), 1u);
  EXPECT_EQ(written.records[0].kind, "llm_exchange");
  EXPECT_EQ(written.records[0].session, "mlp");
  earlier_run run;
  EXPECT_FALSE(read_record(written.records[0], texts_of(written), run));
  ASSERT_EQ(run.answers.size(), 1u);
  const auto& x = run.answers[0];
  EXPECT_EQ(x.session, "mlp");
  EXPECT_EQ(x.request, 7u);
  EXPECT_EQ(x.prompt_hash, content_hash("be \"brief\"\n\nmake it fast"));
  EXPECT_EQ(x.answer.text, "the answer");
  EXPECT_EQ(x.answer.model, "gpt-x");
  EXPECT_EQ(x.answer.finish, "stop");
  EXPECT_EQ(x.answer.cost.cached_input_tokens, 100);
  EXPECT_EQ(x.answer.cost.usd, 0.0125);
  EXPECT_EQ(x.answer.seconds, 3.25);
  EXPECT_TRUE(x.answer.recorded);
  EXPECT_EQ((run.spent[{"mlp", "coder", "strong"}].queries), 1);
}

TEST(exchange, prompt_and_answer_are_contents_under_their_hash) {
  auto written = exchange_record(question(), paid());
  ASSERT_EQ(written.contents.size(), 2u);
  for (const auto& x : written.contents)
    EXPECT_EQ(x.hash, content_hash(x.text));
  EXPECT_EQ(written.contents[0].text, "be \"brief\"\n\nmake it fast");
}

TEST(exchange, lost_money_counts_as_spent) {
  earlier_run run;
  auto lost = lost_record(question(), "abc", {0, 0, 0, 0, 0.5});
  EXPECT_FALSE(read_record(lost.records[0], texts_of(lost), run));
  EXPECT_TRUE(run.answers.empty());
  auto& spent = run.spent[{"mlp", "coder", "strong"}];
  EXPECT_EQ(spent.usd, 0.5);
  EXPECT_EQ(spent.queries, 0);
}

TEST(exchange, a_call_counts_at_its_most_until_its_end_is_known) {
  auto hash = content_hash(prompt_text(question()));
  auto reserved = reserved_record(question(), hash, {0, 900, 0, 400, 0.5});
  for (auto& end : {exchange_record(question(), paid()), lost_record(question(), hash, {}),
                    released_record(question(), hash)}) {
    earlier_run run;
    EXPECT_FALSE(read_record(reserved.records[0], texts_of(reserved), run));
    ASSERT_EQ(run.open.size(), 1u);
    const auto& [key, x] = *run.open.begin();
    EXPECT_EQ(key, (question_key{"mlp", 7, hash}));
    EXPECT_EQ(x.who, (payer{"mlp", "coder", "strong"}));
    EXPECT_EQ(x.worst.usd, 0.5);
    EXPECT_EQ(x.worst.output_tokens, 400);
    EXPECT_EQ(x.role, "coder");
    EXPECT_FALSE(read_record(end.records[0], texts_of(end), run));
    EXPECT_TRUE(run.open.empty()) << end.records[0].kind;
  }
}

TEST(exchange, a_question_that_goes_to_another_model_is_reserved_once) {
  earlier_run run;
  for (auto usd : {0.5, 0.2}) {
    auto reserved = reserved_record(question(), "abc", {0, 0, 0, 0, usd});
    EXPECT_FALSE(read_record(reserved.records[0], texts_of(reserved), run));
  }
  ASSERT_EQ(run.open.size(), 1u);
  EXPECT_EQ(run.open.begin()->second.worst.usd, 0.2);
}

TEST(exchange, a_loss_in_an_older_journal_counts) {
  earlier_run run;
  journal_record old;
  old.session = "mlp";
  old.kind = lost_kind;
  old.payload = R"({"request":7,"agent":"coder","role":"coder","model":"strong","queries":0,)"
                R"("input_tokens":0,"cached_input_tokens":0,"output_tokens":0,"usd":0.5})";
  EXPECT_FALSE(read_record(old, texts_of({}), run));
  EXPECT_EQ((run.spent[{"mlp", "coder", "strong"}].usd), 0.5);
}

TEST(exchange, records_of_other_kinds_are_passed_over) {
  earlier_run run;
  journal_record other;
  other.kind = "verdict";
  other.payload = "not even JSON";
  EXPECT_FALSE(read_record(other, texts_of({}), run));
  EXPECT_TRUE(run.spent.empty());
}

TEST(exchange, a_damaged_record_is_named) {
  earlier_run run;
  auto written = exchange_record(question(), paid());
  auto record = written.records[0];
  record.seq = 12;
  record.payload = R"({"request":1})";
  auto problem = read_record(record, texts_of(written), run);
  EXPECT_EQ(problem, errc::journal_failed);
  EXPECT_THAT(describe(problem), HasSubstr("record 12"));
  record.payload = "{";
  EXPECT_EQ(read_record(record, texts_of(written), run), errc::journal_failed);
  EXPECT_TRUE(run.answers.empty());
}

TEST(exchange, a_journal_says_when_calls_went_out) {
  earlier_run run;
  auto written = exchange_record(question(), paid());
  auto reserved = reserved_record(question(), "abc", {0, 900, 0, 400, 0.5});
  for (auto* x : {&reserved, &written, &reserved}) {
    x->records[0].time += 1'000;
    ASSERT_FALSE(read_record(x->records[0], texts_of(written), run));
  }
  ASSERT_EQ(run.started.size(), 2u);
  EXPECT_EQ(run.started[0].model, question().model);
  EXPECT_EQ(run.started[0].time, 1'000);
  EXPECT_EQ(run.started[0].worst.input_tokens, 900);
  EXPECT_EQ(run.started[1].time, 2'000);
}

TEST(exchange, money_that_comes_back_is_a_damaged_record) {
  auto written = exchange_record(question(), paid());
  for (auto& x : {written, lost_record(question(), "abc", {1, 2, 3, 4, 0.5, 6}),
                  reserved_record(question(), "abc", {1, 2, 3, 4, 0.5, 6})})
    for (std::string key : {"queries", "input_tokens", "cached_input_tokens", "output_tokens",
                            "reasoning_tokens", "usd"})
      for (std::string odd : {"-1", "10000000000000000", "1e300", "null"}) {
        auto record = x.records[0];
        auto at = record.payload.find("\"" + key + "\":") + key.size() + 3;
        auto end = record.payload.find_first_of(",}", at);
        record.payload.replace(at, end - at, odd);
        earlier_run run;
        auto problem = read_record(record, texts_of(written), run);
        EXPECT_EQ(problem, errc::journal_failed) << record.payload;
        EXPECT_THAT(describe(problem), HasSubstr(key)) << record.payload;
        EXPECT_TRUE(run.spent.empty() && run.open.empty() && run.answers.empty());
      }
}

TEST(exchange, a_missing_text_is_an_error) {
  earlier_run run;
  auto written = exchange_record(question(), paid());
  EXPECT_EQ(read_record(written.records[0], texts_of({}), run), errc::journal_failed);
  EXPECT_TRUE(run.answers.empty());
}

TEST(exchange, who_is_asked_to_go_on_is_asked_another_question) {
  auto asked = question();
  asked.follow_ups = {{"half an ans", "go on"}};
  auto written = exchange_record(asked, paid());
  EXPECT_EQ(written.contents[0].text,
            prompt_text(question()) + "\n\nanswer:\n\nhalf an ans\n\nprompt:\n\ngo on");
  earlier_run run;
  EXPECT_FALSE(read_record(written.records[0], texts_of(written), run));
  ASSERT_EQ(run.answers.size(), 1u);
  EXPECT_EQ(run.answers[0].request, 7u);
  EXPECT_EQ(run.answers[0].prompt_hash, content_hash(prompt_text(asked)));
}
