#include "tools/lathe/judging/html_page.hpp"

#include "messages/error.hpp"
#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::judging;
using testing::HasSubstr;
using testing::Not;

namespace {

const environment where{"cpu, 2 cores", "torch 2.11", "", ""};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t result = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++result;
  return result;
}

} // namespace

TEST(html_page, each_candidate_has_a_row_and_an_interval) {
  auto page = html_page({test::row_of("faster.py", {test::timed(2, 1.9, 2.1)}),
                         test::row_of("same.py", {test::timed(1, 0.98, 1.03)}),
                         test::row_of("slower.py", {test::timed(0.5, 0.4, 0.6)}),
                         test::row_of("wrong.py", {test::failed(outcome::incorrect)})},
                        where, {});
  EXPECT_EQ(count(page, "<tr><td"), 4U);
  EXPECT_THAT(page, HasSubstr(R"(<span class="win">2.00x</span> [1.90, 2.10])"));
  EXPECT_THAT(page, HasSubstr(R"(<span class="tie">1.00x</span> [0.98, 1.03] tie)"));
  EXPECT_THAT(page, HasSubstr(R"(<span class="loss">0.50x</span>)"));
  EXPECT_THAT(page, HasSubstr("fast_1 0.25 to 0.50"));
  EXPECT_EQ(count(page, R"(<g class=")"), 3U) << "who was not timed has no interval";
}

TEST(html_page, what_candidates_wrote_is_text) {
  auto bad = test::row_of("<img src=x onerror=alert(1)>.py",
                          {test::failed(outcome::crashed, {}, "<script>alert(\"&\")</script>")});
  auto page = html_page({bad}, where, {{}, {"<b>.py"}, {"<i>.py"}});
  EXPECT_EQ(count(page, "<script"), 1U) << "the page's own";
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("<i>")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;"));
}

TEST(html_page, it_loads_nothing) {
  auto page = html_page({test::row_of("c.py", {test::timed(2, 1.9, 2.1)})}, where, {});
  for (auto* part : {"http", "src=", "href=", "url(", "@import"})
    EXPECT_THAT(page, Not(HasSubstr(part)));
}

// One of two is surely faster than 1x, and both may be; none of them is faster than 4x.
TEST(html_page, fast_p_falls_where_intervals_begin_and_its_band_where_they_end) {
  auto page = html_page({test::row_of("a.py", {test::timed(2, 1.9, 2)}),
                         test::row_of("b.py", {test::timed(1, 0.5, 2)})},
                        where, {});
  // From 0.5x to 4x on 560 points behind 40; 1 lies at 10 and 0 at 190.
  EXPECT_THAT(page, HasSubstr(R"(class="sure" d="M40.0 10.0L40.0 10.0L40.0 100.0L399.)"));
  EXPECT_THAT(page, HasSubstr("L413.3 10.0L40.0 10.0Z")) << "the band's upper edge";
}

TEST(html_page, judges_stand_side_by_side) {
  auto row = test::row_of("c.py", {test::timed(2, 1.9, 2.1)});
  row.judgements.push_back(test::said({test::failed(outcome::incorrect)}, "pike"));
  row.disagreements = {"tolerance: an error of 0.02"};
  auto page = html_page({row}, where, {});
  EXPECT_EQ(count(page, "<h2>"), 3U);
  EXPECT_THAT(page, HasSubstr("differ by tolerance: an error of 0.02"));
}

TEST(html_page, where_nothing_was_judged_there_is_still_a_page) {
  judgement none{"strict", {}, {}, {}, {}};
  none.problem = make_error(errc::bad_task, "t.py: no Model");
  auto page = html_page({{"t.py", "c.py", {}, {none}}}, where, {{"idle.py"}, {}, {}});
  EXPECT_THAT(page, HasSubstr("no verdict"));
  EXPECT_THAT(page, HasSubstr("tasks without a candidate: 1"));
  EXPECT_THAT(html_page({}, where, {}), HasSubstr("0 candidates of 0 tasks"));
}
