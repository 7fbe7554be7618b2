// The network as a picture: kernels and what flows between them.

addView({
  id: "graph",
  title: "Network",
  render(panel, data) {
    append(panel, data.kernels.map(kernel => element("p", null, `@${kernel.name}: ${kernel.ops}`)));
  },
});
