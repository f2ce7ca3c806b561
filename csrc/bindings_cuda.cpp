// forensic._C_cuda: one page that lists the CUDA kernels. Arrays come in as objects with __dlpack__ on a CUDA device;
// the stream is the integer behind a cudaStream_t. Calls return when the work is queued.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <optional>

#include "augment_arguments.h"
#include "cuda_launch.h"
#include "door.h"
#include "norm_arguments.h"

namespace forensic {
namespace {

using Object = const py::object&;
constexpr std::int32_t kDevice = dlpack::kCuda;

template <typename T>
TensorView<const T, 3> planes(const Array& array, const char* name) {
  const auto all = array.view<const T, 3>(kDevice);
  FORENSIC_CHECK(all.contiguous(), name, ": expected contiguous planes");
  return all;
}

void bind_dct(py::module_& module) {
  module.def(
      "dct2",
      [](Object x, Object y, bool inverse, std::uintptr_t stream) {
        const Array in(x, "x"), out(y, "y");
        with_float_type(in, "x", [&]<typename T>(T) {
          const auto from = planes<T>(in, "x");
          T* to = output<T, 3>(out, "y", from.shape, kDevice);
          const py::gil_scoped_release released;
          cuda::dct2(from.shape[0], from.shape[1], from.shape[2], from.data, to, inverse, stream);
        });
      },
      py::arg("x"), py::arg("y"), py::arg("inverse"), py::arg("stream"));
  module.def("dct2_log",
             [](Object x, Object mean, Object std, double epsilon, Object g, Object y, std::uintptr_t stream) {
               const Array in(x, "x"), means(mean, "mean"), stds(std, "std"), out(y, "y");
               std::optional<Array> gradient;
               if (!g.is_none()) gradient.emplace(g, "g");
               with_float_type(in, "x", [&]<typename T>(T) {
                 const auto from = planes<T>(in, "x");
                 const auto m = planes<T>(means, "mean"), s = planes<T>(stds, "std");
                 const T* above = gradient ? planes<T>(*gradient, "g").data : nullptr;
                 T* to = output<T, 3>(out, "y", from.shape, kDevice);
                 const py::gil_scoped_release released;
                 cuda::dct2_log(from.shape[0], from.shape[1], from.shape[2], from.data, m.shape[0], m.data, s.shape[0],
                                s.data, epsilon, above, to, stream);
               });
             });
}

void bind_resize(py::module_& module) {
  module.def("resize_square", [](Object image, Object out, std::uintptr_t stream) {
    const Array in(image, "image"), to(out, "out");
    const auto from = in.view<const std::uint8_t, 3>(kDevice);
    const auto run = [&](const auto& view) {
      const py::gil_scoped_release released;
      cuda::resize_square(from, view, stream);
    };
    if (to.is<std::uint8_t>()) return run(to.view<std::uint8_t, 3>(kDevice));
    FORENSIC_CHECK_TYPE(to.is<float>(), "out: expected uint8 or float32, got ", name_of(to.tensor().dtype));
    run(to.view<float, 3>(kDevice));
  });
}

void apply_augment(Object x, Object w1, Object b1, Object w2, Object b2, Object y, bool adjoint,
                   std::uintptr_t stream) {
  const Array in(x, "x"), out(y, "y");
  const AugmentArguments arguments(w1, b1, w2, b2, kDevice);
  with_float_type(in, "x", [&]<typename T>(T) {
    const auto from = in.view<const T, 4>(kDevice);
    const auto weights = arguments.weights<T>();
    const AugmentShape shape = arguments.shape(from, "x");
    T* to = output<T, 4>(out, "y", from.shape, kDevice);
    const py::gil_scoped_release released;
    cuda::augment(shape, from.data, strides_of(from), weights, to, adjoint, stream);
  });
}

void bind_augment(py::module_& module) {
  module.def("augment", [](Object x, Object w1, Object b1, Object w2, Object b2, Object y, std::uintptr_t stream) {
    apply_augment(x, w1, b1, w2, b2, y, false, stream);
  });
  module.def("augment_input_gradient",
             [](Object g, Object w1, Object b1, Object w2, Object b2, Object d_x, std::uintptr_t stream) {
               apply_augment(g, w1, b1, w2, b2, d_x, true, stream);
             });
  module.def("augment_weight_gradients", [](Object x, Object g, Object w1, Object b1, Object w2, Object b2, Object d_w1,
                                            Object d_b1, Object d_w2, Object d_b2, std::uintptr_t stream) {
    const Array in(x, "x"), gradient(g, "g");
    const Array first(d_w1, "d_w1"), second(d_b1, "d_b1"), third(d_w2, "d_w2"), fourth(d_b2, "d_b2");
    const AugmentArguments arguments(w1, b1, w2, b2, kDevice);
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 4>(kDevice), above = gradient.view<const T, 4>(kDevice);
      check_same_shape(from, "x", above, "g");
      const auto weights = arguments.weights<T>();
      const AugmentShape shape = arguments.shape(from, "x");
      T* to_w1 = output<T, 4>(first, "d_w1", {shape.hidden, kImageChannels, shape.kernel, shape.kernel}, kDevice);
      T* to_b1 = output<T, 1>(second, "d_b1", {shape.hidden}, kDevice);
      T* to_w2 = output<T, 4>(third, "d_w2", {kImageChannels, shape.hidden, shape.kernel, shape.kernel}, kDevice);
      T* to_b2 = output<T, 1>(fourth, "d_b2", {kImageChannels}, kDevice);
      const py::gil_scoped_release released;
      cuda::augment_weight_gradients(shape, from.data, strides_of(from), above.data, strides_of(above), weights, to_w1,
                                     to_b1, to_w2, to_b2, stream);
    });
  });
}

void bind_triplet(py::module_& module) {
  module.def("batch_hard_triplet", [](Object z, Object labels, double margin, bool squared, bool mean, Object loss,
                                      Object gradient, std::uintptr_t stream) {
    const Array embeddings(z, "z"), classes(labels, "labels"), value(loss, "loss"), slope(gradient, "gradient");
    with_float_type(embeddings, "z", [&]<typename T>(T) {
      const auto from = embeddings.view<const T, 2>(kDevice);
      const auto ids = classes.view<const std::int64_t, 1>(kDevice);
      FORENSIC_CHECK(ids.shape[0] == from.shape[0], "labels: expected one for each of ", from.shape[0],
                     " rows of z, got ", ids.shape[0]);
      T* to = output<T, 1>(value, "loss", {1}, kDevice);
      T* gradient_to = slope.tensor().shape[0] == 0 ? nullptr : output<T, 2>(slope, "gradient", from.shape, kDevice);
      const py::gil_scoped_release released;
      cuda::batch_hard_triplet<T>(from.shape[0], from.shape[1], from.data, from.stride[0], from.stride[1], ids.data,
                                  ids.stride[0], margin, squared, mean, to, gradient_to, stream);
    });
  });
}

void bind_norm(py::module_& module) {
  module.def("batch_norm_leaky", [](Object x, Object weight, Object bias, double eps, double slope, Object y,
                                    Object mean, Object variance, std::uintptr_t stream) {
    const Array in(x, "x"), w(weight, "weight"), b(bias, "bias"), out(y, "y"), m(mean, "mean"), v(variance, "variance");
    with_storage_type(in, "x", [&]<typename S>(S) {
      using A = Computed<S>;
      const auto from = pixels_of<S>(in, "x", kDevice);
      const std::array<std::int64_t, 1> channels{from.shape[1]};
      const A* w_at = constants<A>(w, "weight", channels, kDevice);
      const A* b_at = constants<A>(b, "bias", channels, kDevice);
      S* y_at = output<S, 2>(out, "y", from.shape, kDevice);
      A* m_at = output<A, 1>(m, "mean", channels, kDevice);
      A* v_at = output<A, 1>(v, "variance", channels, kDevice);
      const NormOptions<S> options{static_cast<A>(eps), static_cast<A>(slope)};
      const py::gil_scoped_release released;
      cuda::batch_norm_leaky<S>(from.shape[0], from.shape[1], from.data, w_at, b_at, options, y_at, m_at, v_at, stream);
    });
  });
  module.def("batch_norm_leaky_gradient",
             [](Object dy, Object x, Object mean, Object variance, Object weight, Object bias, double eps, double slope,
                Object d_x, Object d_weight, Object d_bias, std::uintptr_t stream) {
               const Array above(dy, "dy"), in(x, "x"), m(mean, "mean"), v(variance, "variance"), w(weight, "weight"),
                   b(bias, "bias"), out(d_x, "d_x"), to_w(d_weight, "d_weight"), to_b(d_bias, "d_bias");
               with_storage_type(in, "x", [&]<typename S>(S) {
                 using A = Computed<S>;
                 const auto from = pixels_of<S>(in, "x", kDevice), slopes = pixels_of<S>(above, "dy", kDevice);
                 check_same_shape(from, "x", slopes, "dy");
                 const std::array<std::int64_t, 1> channels{from.shape[1]};
                 const A* m_at = constants<A>(m, "mean", channels, kDevice);
                 const A* v_at = constants<A>(v, "variance", channels, kDevice);
                 const A* w_at = constants<A>(w, "weight", channels, kDevice);
                 const A* b_at = constants<A>(b, "bias", channels, kDevice);
                 S* x_at = output<S, 2>(out, "d_x", from.shape, kDevice);
                 A* dw_at = output<A, 1>(to_w, "d_weight", channels, kDevice);
                 A* db_at = output<A, 1>(to_b, "d_bias", channels, kDevice);
                 const NormOptions<S> options{static_cast<A>(eps), static_cast<A>(slope)};
                 const py::gil_scoped_release released;
                 cuda::batch_norm_leaky_gradient<S>(from.shape[0], from.shape[1], slopes.data, from.data, m_at, v_at,
                                                    w_at, b_at, options, x_at, dw_at, db_at, stream);
               });
             });
}

void bind_radial(py::module_& module) {
  module.def("radial_spectrum", [](Object x, Object y, std::uintptr_t stream) {
    const Array in(x, "x"), out(y, "y");
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 3>(kDevice);
      const auto [planes, height, width] = from.shape;
      T* to = output<T, 2>(out, "y", {planes, std::min(height, width) / 2}, kDevice);
      const cuda::PlaneStrides strides{from.stride[0], from.stride[1], from.stride[2]};
      const py::gil_scoped_release released;
      cuda::radial_spectrum(planes, height, width, from.data, strides, to, stream);
    });
  });
  module.def("radial_spectrum_gradient", [](Object x, Object g, Object d_x, std::uintptr_t stream) {
    const Array in(x, "x"), gradient(g, "g"), out(d_x, "d_x");
    with_float_type(in, "x", [&]<typename T>(T) {
      const auto from = in.view<const T, 3>(kDevice);
      const auto [planes, height, width] = from.shape;
      const auto weights = gradient.view<const T, 2>(kDevice);
      const std::array<std::int64_t, 2> expected{planes, std::min(height, width) / 2};
      FORENSIC_CHECK(weights.shape == expected && (weights.contiguous() || weights.size() == 0), "g: expected shape (",
                     expected[0], ", ", expected[1], "), contiguous, got ", shape_of(gradient.tensor()));
      T* to = output<T, 3>(out, "d_x", from.shape, kDevice);
      const cuda::PlaneStrides strides{from.stride[0], from.stride[1], from.stride[2]};
      const py::gil_scoped_release released;
      cuda::radial_spectrum_gradient(planes, height, width, from.data, strides, weights.data, to, stream);
    });
  });
}

}  // namespace
}  // namespace forensic

PYBIND11_MODULE(_C_cuda, module) {
  using namespace forensic;
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const TypeProblem& problem) {
      py::set_error(PyExc_TypeError, problem.what());
    } catch (const MemoryProblem& problem) {
      py::set_error(PyExc_MemoryError, problem.what());
    }
  });
  bind_dct(module);
  bind_resize(module);
  bind_augment(module);
  bind_triplet(module);
  bind_norm(module);
  bind_radial(module);
}
