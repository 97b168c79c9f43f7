#include "gpu/measured_peaks.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

using namespace lathe::gpu;

namespace {

const device_peaks measured{3e12, 3.2e12, 6e12, 60e12, 400e12, 800e12, 50e6, true};

} // namespace

TEST(measured_peaks, peaks_survive_the_way_to_a_file_and_back) {
  auto text = boost::json::serialize(to_json(measured));
  EXPECT_EQ(peaks_from(boost::json::parse(text).as_object()), measured);
}

TEST(measured_peaks, nonsense_in_a_file_is_measured_again) {
  for (auto* key : {"bandwidth", "half", "cache"})
    for (boost::json::value nonsense : {boost::json::value(0), boost::json::value(-1e12),
                                        boost::json::value("fast"), boost::json::value(nullptr)}) {
      auto x = to_json(measured);
      x[key] = nonsense;
      EXPECT_FALSE(peaks_from(x)) << key << " " << nonsense;
    }
  auto x = to_json(measured);
  x.erase("flushed");
  EXPECT_FALSE(peaks_from(x));
}

TEST(measured_peaks, a_core_is_named_by_processor_and_threads) {
  EXPECT_NE(measured_device({}, 1), measured_device({}, 2));
}
