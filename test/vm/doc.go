// Package vm runs the product where it lives: the Debian package, under systemd,
// on network cards by vfio-pci, in a virtual machine with an IOMMU, before
// backends whose kernels take the tunnels apart.
//
// Its tests carry the build tag vm, and are run by make test-vm, which makes the
// package and the image of the machines first.
package vm
