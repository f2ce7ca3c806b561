// forensic._C: one page that lists the CPU kernels. Arrays come in as objects with __dlpack__; outputs are made by the
// caller. Every call releases the GIL while it computes.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "augment.h"
#include "augment_arguments.h"
#include "dct.h"
#include "dispatch.h"
#include "door.h"
#include "norm.h"
#include "norm_arguments.h"
#include "radial.h"
#include "resize.h"
#include "triplet.h"

namespace forensic {
namespace {

void bind_dispatch(py::module_& module) {
  module.def("isa", &level_name);
  module.def("supported_isas", &supported_levels);
  module.def("set_isa", &set_level, py::arg("name"));
}

// Memory of results. The shape is that of a torch tensor, so its product fits.
void bind_kept(py::module_& module) {
  module.def(
      "kept_array",
      [](std::vector<std::int64_t> shape, std::uint8_t bits) {
        return kept_array(std::move(shape), dlpack::DataType{type_of<float>().code, bits, 1});
      },
      py::arg("shape"), py::arg("bits"));
  module.def("drop_kept", &drop_kept);
  module.attr("LARGE_OUTPUT") = kLargeOutput;
}

void bind_dct(py::module_& module) {
  const auto transform = [](const py::object& x, const py::object& y, bool inverse, int threads) {
    const Array in(x, "x");
    const Array out(y, "y");
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 3>();
      const auto to = out.view<T, 3>();
      const py::gil_scoped_release released;
      dct2<T>(from, to, inverse, threads);
    });
  };
  module.def("dct2", transform, py::arg("x"), py::arg("y"), py::arg("inverse"), py::arg("threads"));
  using Object = const py::object&;
  // `g` is None where no gradient comes in.
  module.def("dct2_log", [](Object x, Object mean, Object std, double epsilon, Object g, Object y, int threads) {
    const Array in(x, "x"), means(mean, "mean"), stds(std, "std"), out(y, "y");
    std::optional<Array> gradient;
    if (!g.is_none()) gradient.emplace(g, "g");
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 3>();
      const auto above = gradient ? gradient->view<const T, 3>() : TensorView<const T, 3>{};
      const DctStatistics<T> statistics{means.view<const T, 3>(), stds.view<const T, 3>(), static_cast<T>(epsilon)};
      const auto to = out.view<T, 3>();
      const py::gil_scoped_release released;
      dct2_log<T>(from, statistics, gradient ? &above : nullptr, to, threads);
    });
  });
}

// What comes from above an augmenter, (N, 3, H, W), or above several, (A, N, 3, H, W).
template <typename T>
struct Above {
  TensorView<const T, 4> one;
  ImageStrides strides;

  Above(const Array& array, const AugmentArguments& arguments) {
    if (arguments.stacked()) {
      const auto all = array.view<const T, 5>();
      FORENSIC_CHECK(all.shape[0] == arguments.augmenters(), "g: expected gradients of ", arguments.augmenters(),
                     " augmenters, got ", all.shape[0]);
      one = first_of(all);
      strides = strides_of(all);
    } else {
      one = array.view<const T, 4>();
      strides = strides_of(one);
    }
  }
};

template <typename T>
T* augmented_output(const Array& array, const char* name, const AugmentShape& s, bool stacked) {
  if (!stacked) return output<T, 4>(array, name, {s.images, kImageChannels, s.height, s.width});
  return output<T, 5>(array, name, {s.augmenters, s.images, kImageChannels, s.height, s.width});
}

// The gradient of a weight: contiguous, and of the weight's size.
template <typename T>
T* weight_output(const Array& array, const char* name, const Array& weight) {
  const dlpack::Tensor &to = array.tensor(), &like = weight.tensor();
  const bool same = to.ndim == like.ndim && std::equal(to.shape, to.shape + to.ndim, like.shape);
  FORENSIC_CHECK(same, name, ": expected ", shape_of(like), ", got ", shape_of(to));
  switch (to.ndim) {
    case 1:
      return output<T, 1>(array, name, {to.shape[0]});
    case 2:
      return output<T, 2>(array, name, {to.shape[0], to.shape[1]});
    case 4:
      return output<T, 4>(array, name, {to.shape[0], to.shape[1], to.shape[2], to.shape[3]});
    default:
      return output<T, 5>(array, name, {to.shape[0], to.shape[1], to.shape[2], to.shape[3], to.shape[4]});
  }
}

void bind_augment(py::module_& module) {
  using Object = const py::object&;
  module.def("augment", [](Object x, Object w1, Object b1, Object w2, Object b2, Object y, int threads) {
    const Array in(x, "x"), out(y, "y");
    const AugmentArguments arguments(w1, b1, w2, b2);
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 4>();
      const auto weights = arguments.weights<T>();
      const AugmentShape shape = arguments.shape(from, "x");
      T* to = augmented_output<T>(out, "y", shape, arguments.stacked());
      const py::gil_scoped_release released;
      augment_forward(shape, from.data, strides_of(from), weights, to, threads);
    });
  });
  module.def("augment_input_gradient",
             [](Object g, Object w1, Object b1, Object w2, Object b2, Object d_x, int threads) {
               const Array in(g, "g"), out(d_x, "d_x");
               const AugmentArguments arguments(w1, b1, w2, b2);
               with_float_type(in, "g", [&]<typename T>(T) {
                 const auto weights = arguments.weights<T>();
                 const Above<T> above(in, arguments);
                 const AugmentShape shape = arguments.shape(above.one, "g");
                 T* to = output<T, 4>(out, "d_x", above.one.shape);
                 const py::gil_scoped_release released;
                 augment_input_gradient(shape, above.one.data, above.strides, weights, to, threads);
               });
             });
  module.def("augment_weight_gradients", [](Object x, Object g, Object w1, Object b1, Object w2, Object b2, Object d_w1,
                                            Object d_b1, Object d_w2, Object d_b2, int threads) {
    const Array in(x, "x"), gradient(g, "g"), first(d_w1, "d_w1"), second(d_b1, "d_b1"), third(d_w2, "d_w2"),
        fourth(d_b2, "d_b2");
    const AugmentArguments arguments(w1, b1, w2, b2);
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 4>();
      const auto weights = arguments.weights<T>();
      const Above<T> above(gradient, arguments);
      check_same_shape(from, "x", above.one, "g");
      const AugmentShape shape = arguments.shape(from, "x");
      T* to_w1 = weight_output<T>(first, "d_w1", arguments.w1());
      T* to_b1 = weight_output<T>(second, "d_b1", arguments.b1());
      T* to_w2 = weight_output<T>(third, "d_w2", arguments.w2());
      T* to_b2 = weight_output<T>(fourth, "d_b2", arguments.b2());
      const py::gil_scoped_release released;
      augment_weight_gradients(shape, from.data, strides_of(from), above.one.data, above.strides, weights, to_w1, to_b1,
                               to_w2, to_b2, threads);
    });
  });
}

void bind_triplet(py::module_& module) {
  using Object = const py::object&;
  // `gradient` has no rows where none is asked for.
  module.def("batch_hard_triplet", [](Object z, Object labels, double margin, bool squared, bool mean, Object loss,
                                      Object gradient, int threads) {
    const Array embeddings(z, "z"), classes(labels, "labels"), value(loss, "loss"), slope(gradient, "gradient");
    with_float_type(embeddings, "z", [&]<typename T>(T) {
      const auto from = embeddings.view<const T, 2>();
      const auto ids = classes.view<const std::int64_t, 1>();
      FORENSIC_CHECK(ids.shape[0] == from.shape[0], "labels: expected one for each of ", from.shape[0],
                     " rows of z, got ", ids.shape[0]);
      T* to = output<T, 1>(value, "loss", {1});
      T* gradient_to = slope.tensor().shape[0] == 0 ? nullptr : output<T, 2>(slope, "gradient", from.shape);
      const py::gil_scoped_release released;
      batch_hard_triplet<T>(from.shape[0], from.shape[1], from.data, from.stride[0], from.stride[1], ids.data,
                            ids.stride[0], {margin, squared, mean}, to, gradient_to, threads);
    });
  });
}

void bind_norm(py::module_& module) {
  using Object = const py::object&;
  module.def("batch_norm_leaky", [](Object x, Object weight, Object bias, double eps, double slope, Object y,
                                    Object mean, Object variance, int threads) {
    const Array in(x, "x"), w(weight, "weight"), b(bias, "bias"), out(y, "y"), m(mean, "mean"), v(variance, "variance");
    with_storage_type(in, "x", [&]<typename S>(S) {
      using A = Computed<S>;
      const auto from = pixels_of<S>(in, "x");
      const std::array<std::int64_t, 1> channels{from.shape[1]};
      const A* w_at = constants<A>(w, "weight", channels);
      const A* b_at = constants<A>(b, "bias", channels);
      S* y_at = output<S, 2>(out, "y", from.shape);
      A* m_at = output<A, 1>(m, "mean", channels);
      A* v_at = output<A, 1>(v, "variance", channels);
      const NormOptions<S> options{static_cast<A>(eps), static_cast<A>(slope)};
      const py::gil_scoped_release released;
      batch_norm_leaky<S>(from.shape[0], from.shape[1], from.data, w_at, b_at, options, y_at, m_at, v_at, threads);
    });
  });
  module.def("batch_norm_leaky_gradient",
             [](Object dy, Object x, Object mean, Object variance, Object weight, Object bias, double eps, double slope,
                Object d_x, Object d_weight, Object d_bias, int threads) {
               const Array above(dy, "dy"), in(x, "x"), m(mean, "mean"), v(variance, "variance"), w(weight, "weight"),
                   b(bias, "bias"), out(d_x, "d_x"), to_w(d_weight, "d_weight"), to_b(d_bias, "d_bias");
               with_storage_type(in, "x", [&]<typename S>(S) {
                 using A = Computed<S>;
                 const auto from = pixels_of<S>(in, "x"), slopes = pixels_of<S>(above, "dy");
                 check_same_shape(from, "x", slopes, "dy");
                 const std::array<std::int64_t, 1> channels{from.shape[1]};
                 const A* m_at = constants<A>(m, "mean", channels);
                 const A* v_at = constants<A>(v, "variance", channels);
                 const A* w_at = constants<A>(w, "weight", channels);
                 const A* b_at = constants<A>(b, "bias", channels);
                 S* x_at = output<S, 2>(out, "d_x", from.shape);
                 A* dw_at = output<A, 1>(to_w, "d_weight", channels);
                 A* db_at = output<A, 1>(to_b, "d_bias", channels);
                 const NormOptions<S> options{static_cast<A>(eps), static_cast<A>(slope)};
                 const py::gil_scoped_release released;
                 batch_norm_leaky_gradient<S>(from.shape[0], from.shape[1], slopes.data, from.data, m_at, v_at, w_at,
                                              b_at, options, x_at, dw_at, db_at, threads);
               });
             });
}

void bind_resize(py::module_& module) {
  const auto resize = [](const py::object& image, const py::object& out, int threads) {
    const Array in(image, "image");
    const Array to(out, "out");
    const auto from = in.view<const std::uint8_t, 3>();
    const auto run = [&](const auto& view) {
      const py::gil_scoped_release released;
      resize_square(from, view, threads);
    };
    if (to.is<std::uint8_t>()) return run(to.view<std::uint8_t, 3>());
    FORENSIC_CHECK_TYPE(to.is<float>(), "out: expected uint8 or float32, got ", name_of(to.tensor().dtype));
    run(to.view<float, 3>());
  };
  module.def("resize_square", resize, py::arg("image"), py::arg("out"), py::arg("threads"));
}

void bind_radial(py::module_& module) {
  module.def(
      "radial_spectrum",
      [](const py::object& x, const py::object& y, int threads) {
        const Array in(x, "x");
        const Array out(y, "y");
        with_float_type(in, "x", [&]<typename T>(T) {
          const auto from = in.view<const T, 3>();
          const auto to = out.view<T, 2>();
          const py::gil_scoped_release released;
          radial_spectrum<T>(from, to, threads);
        });
      },
      py::arg("x"), py::arg("y"), py::arg("threads"));
  module.def(
      "radial_spectrum_gradient",
      [](const py::object& x, const py::object& g, const py::object& d_x, int threads) {
        const Array in(x, "x");
        const Array gradient(g, "g");
        const Array out(d_x, "d_x");
        with_float_type(in, "x", [&]<typename T>(T) {
          const auto from = in.view<const T, 3>();
          const auto weights = gradient.view<const T, 2>();
          const auto to = out.view<T, 3>();
          const py::gil_scoped_release released;
          radial_spectrum_gradient<T>(from, weights, to, threads);
        });
      },
      py::arg("x"), py::arg("g"), py::arg("d_x"), py::arg("threads"));
}

}  // namespace
}  // namespace forensic

PYBIND11_MODULE(_C, module) {
  using namespace forensic;
  // pybind11 asks for a function that takes it by value
  py::register_exception_translator([](std::exception_ptr error) {  // NOLINT(performance-unnecessary-value-param)
    try {
      if (error) std::rethrow_exception(error);
    } catch (const TypeProblem& problem) {
      py::set_error(PyExc_TypeError, problem.what());
    }
  });
  bind_dispatch(module);
  bind_kept(module);
  bind_dct(module);
  bind_radial(module);
  bind_resize(module);
  bind_augment(module);
  bind_triplet(module);
  bind_norm(module);
}
