// Where the time goes: the roofline of the machine with all kernels, and the time of each.
