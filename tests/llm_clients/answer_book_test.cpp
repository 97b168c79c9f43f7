#include "llm_clients/answer_book.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::llm_clients;

namespace {

recorded_answer answer(request_id request, std::string text) {
  recorded_answer result{"mlp", request, "hash", {}};
  result.answer.text = std::move(text);
  return result;
}

} // namespace

TEST(answer_book, only_the_same_question_of_the_same_session_is_found) {
  answer_book book{100};
  book.add(answer(1, "yes"));
  ASSERT_NE(book.find("mlp", 1, "hash"), nullptr);
  EXPECT_EQ(book.find("mlp", 1, "hash")->text, "yes");
  EXPECT_TRUE(book.find("mlp", 1, "hash")->recorded);
  EXPECT_EQ(book.find("mlp", 2, "hash"), nullptr);
  EXPECT_EQ(book.find("scan", 1, "hash"), nullptr);
  EXPECT_EQ(book.find("mlp", 1, "other"), nullptr);
}

TEST(answer_book, the_oldest_answers_of_this_run_go_when_the_book_is_full) {
  answer_book book{10};
  book.add(answer(1, "12345"));
  book.add(answer(2, "12345"));
  book.add(answer(3, "123"));
  EXPECT_EQ(book.find("mlp", 1, "hash"), nullptr);
  EXPECT_NE(book.find("mlp", 2, "hash"), nullptr);
  EXPECT_NE(book.find("mlp", 3, "hash"), nullptr);
}

TEST(answer_book, answers_of_an_earlier_run_stay) {
  answer_book book{4};
  book.pin(answer(1, "an answer longer than the bound"));
  book.add(answer(2, "1234"));
  book.add(answer(3, "1234"));
  EXPECT_NE(book.find("mlp", 1, "hash"), nullptr);
  EXPECT_EQ(book.find("mlp", 2, "hash"), nullptr);
}
