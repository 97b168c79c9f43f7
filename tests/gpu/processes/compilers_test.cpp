// What candidates are free to do inside their sandbox: compile. Little is compiled here; what takes
// torch's headers, and so half a minute, is in compilers_long_test.cpp.
#include "tests/gpu/processes/process_fixture.hpp"

namespace lathe::gpu::testing {

class compilers : public process_fixture {};

TEST_F(compilers, inductor_compiles_inside_the_sandbox) {
  auto worker = spawn();
  prepare(*worker, "return f(x)\n"
                   "import torch._inductor.config\n"
                   "torch._inductor.config.cpp_cache_precompile_headers = False\n"
                   "torch._inductor.config.cpp.vec_isa_ok = False\n"
                   "@torch.compile\n"
                   "def f(x): return torch.sin(x) * 2 + x.cumsum(0)");
  auto answer = run(*worker, 200s);
  EXPECT_TRUE(answer.ok()) << answer.problem().message;
}

TEST_F(compilers, an_inline_extension_builds_inside_the_sandbox) {
  auto worker = spawn();
  auto loaded =
    load(*worker,
         "from torch.utils.cpp_extension import load_inline\n"
         "source = '''#include <Python.h>\n"
         "static PyObject* twice(PyObject*, PyObject* x) { return PyNumber_Add(x, x); }\n"
         "static PyMethodDef all[] = {{\"twice\", twice, METH_O, nullptr}, {}};\n"
         "static PyModuleDef own = {PyModuleDef_HEAD_INIT, \"twice\", nullptr, -1, all};\n"
         "PyMODINIT_FUNC PyInit_twice() { return PyModule_Create(&own); }'''\n"
         "module = load_inline('twice', source, no_implicit_headers=True)\n"
         "import torch\n"
         "print(module.twice(torch.ones(2)))\n"
         "class ModelNew: pass\n",
         "ModelNew", 280s);
  ASSERT_TRUE(loaded.ok()) << loaded.problem().message;
  EXPECT_TRUE(worker->output_tail().ends_with("tensor([2., 2.])\n")) << worker->output_tail();
}

TEST_F(compilers, a_compilers_first_errors_reach_the_author) {
  auto worker = spawn();
  auto loaded =
    load(*worker,
         "from torch.utils.cpp_extension import load_inline\n"
         "load_inline('broken', 'int broken( { return nonsense; }', no_implicit_headers=True)\n"
         "class ModelNew: pass\n",
         "ModelNew", 280s);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.problem().how, outcome::build_failed);
  EXPECT_EQ(loaded.problem().line, 2);
  EXPECT_NE(loaded.problem().message.find("error:"), std::string::npos) << loaded.problem().message;
}

} // namespace lathe::gpu::testing
