#include "gpu/measurement_cache.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <unistd.h>

using namespace lathe::gpu;

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const json::object subject{{"device", "cpu"}, {"torch", "2.11"}};

class measurement_cache_test : public testing::Test {
protected:
  void SetUp() override {
    auto pattern = (fs::temp_directory_path() / "lathe-measurements-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }

  void TearDown() override {
    fs::remove_all(folder);
  }

  // All files of the folder get this text.
  void overwrite(const std::string& text) const {
    for (auto& file : fs::directory_iterator{folder / "peaks"})
      std::ofstream{file.path()} << text;
  }

  fs::path folder;
};

} // namespace

TEST_F(measurement_cache_test, what_was_kept_is_found_again) {
  measurement_cache{folder / "peaks"}.keep(subject, {{"bandwidth", 1e12}});
  auto found = measurement_cache{folder / "peaks"}.find(subject);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at("bandwidth").as_double(), 1e12);
}

TEST_F(measurement_cache_test, another_torch_was_not_measured) {
  measurement_cache cache{folder / "peaks"};
  cache.keep(subject, {{"bandwidth", 1e12}});
  EXPECT_FALSE(cache.find({{"device", "cpu"}, {"torch", "2.12"}}));
}

TEST_F(measurement_cache_test, a_file_that_cannot_be_read_is_not_there) {
  measurement_cache cache{folder / "peaks"};
  cache.keep(subject, {{"bandwidth", 1e12}});
  for (auto* text : {"", "{\"subject\": ", "[]", "{}", "{\"subject\": {}, \"measured\": {}}"}) {
    overwrite(text);
    EXPECT_FALSE(cache.find(subject)) << text;
    EXPECT_TRUE(cache.subjects().empty()) << text;
  }
  cache.keep(subject, {{"bandwidth", 2e12}});
  EXPECT_TRUE(cache.find(subject)) << "it is measured again";
}

TEST_F(measurement_cache_test, what_was_measured_can_be_listed) {
  measurement_cache cache{folder / "peaks"};
  EXPECT_TRUE(cache.subjects().empty());
  cache.keep(subject, {{"bandwidth", 1e12}});
  ASSERT_EQ(cache.subjects().size(), 1u);
  EXPECT_EQ(cache.subjects().front(), subject);
}

TEST_F(measurement_cache_test, a_folder_that_cannot_be_made_keeps_nothing) {
  std::ofstream{folder / "file"} << "in the way";
  measurement_cache cache{folder / "file" / "peaks"};
  cache.keep(subject, {{"bandwidth", 1e12}});
  EXPECT_FALSE(cache.find(subject));
  EXPECT_FALSE(measurement_cache{{}}.find(subject));
}
