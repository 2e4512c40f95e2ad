/* SPDX-License-Identifier: ISC */
/* virtio_pci.h - a device model behind PCI (virtio 1.2 §4.1). */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

struct pci_bus;
struct virtio_dev;
struct virtio_pci;

struct virtio_pci *virtio_pci_new(struct pci_bus *bus, int vm, struct virtio_dev *dev);
void virtio_pci_pause(struct virtio_pci *p);
void virtio_pci_resume(struct virtio_pci *p);
void virtio_pci_free(struct virtio_pci *p);

#endif
