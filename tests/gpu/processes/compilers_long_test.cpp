// What candidates compile, just as they write it: with all of torch's headers.
#include "tests/gpu/processes/process_fixture.hpp"

namespace lathe::gpu::testing {

class compilers_long : public process_fixture {};

TEST_F(compilers_long, inductor_probes_the_vector_units_and_uses_them) {
  auto worker = spawn();
  prepare(*worker, "return f(x)\n"
                   "@torch.compile\n"
                   "def f(x): return torch.sin(x) * 2 + x.cumsum(0)");
  auto answer = run(*worker, 200s);
  EXPECT_TRUE(answer.ok()) << answer.problem().message;
}

TEST_F(compilers_long, an_inline_extension_builds_against_torch) {
  auto worker = spawn();
  auto loaded = load(*worker,
                     "from torch.utils.cpp_extension import load_inline\n"
                     "source = 'torch::Tensor twice(torch::Tensor x) { return x + x; }'\n"
                     "module = load_inline('twice', source, functions=['twice'])\n"
                     "import torch\n"
                     "print(module.twice(torch.ones(2)))\n"
                     "class ModelNew: pass\n",
                     "ModelNew", 280s);
  ASSERT_TRUE(loaded.ok()) << loaded.problem().message;
  EXPECT_TRUE(worker->output_tail().ends_with("tensor([2., 2.])\n")) << worker->output_tail();
}

} // namespace lathe::gpu::testing
