#include "tools/llm_server/options.hpp"

#include <gmock/gmock.h>

#include <vector>

using namespace lathe::llm_server;

namespace {

parsed<options> parse(const std::vector<const char*>& arguments) {
  return parse_options(arguments);
}

std::string complaint_about(const std::vector<const char*>& arguments) {
  auto result = parse(arguments);
  return result ? "" : result.error().sentence;
}

} // namespace

TEST(options, own_ones_and_those_of_the_behaviour_are_read) {
  auto result = parse({"--port", "8080", "--events", "3", "--threads", "2", "--tls", "a.pem",
                       "b.pem", "--error", "status:500"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->port, 8080);
  EXPECT_EQ(result->threads, 2u);
  EXPECT_EQ(result->certificate, "a.pem");
  EXPECT_EQ(result->key, "b.pem");
  EXPECT_EQ(result->defaults.events, 3u);
  EXPECT_EQ(result->defaults.error.status, 500u);
  EXPECT_FALSE(result->help);
}

TEST(options, a_mistake_is_one_sentence) {
  EXPECT_EQ(complaint_about({"--colour"}), "there is no option '--colour'; --help shows them");
  EXPECT_EQ(complaint_about({"serve"}), "'serve' is no option; --help shows them");
  EXPECT_EQ(complaint_about({"--port"}), "--port needs a value");
  EXPECT_EQ(complaint_about({"--port", "70000"}),
            "--port: '70000' is no whole number from 0 to 65535");
  EXPECT_EQ(complaint_about({"--threads", "0"}), "--threads: '0' is no whole number from 1 to 256");
  EXPECT_EQ(complaint_about({"--tls", "a.pem"}),
            "--tls needs two files, a certificate and its key");
  EXPECT_EQ(complaint_about({"--events", "x"}),
            "--events: 'x' is no whole number from 1 to 10000000");
}

TEST(options, the_help_text_names_every_option_of_the_behaviour) {
  EXPECT_TRUE(parse({"--help"})->help);
  for (const auto& option : behaviour_options())
    EXPECT_THAT(help_text(), testing::HasSubstr("--" + std::string{option.name} + " "));
}
