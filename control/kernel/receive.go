package kernel

import (
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// usualBuffer holds some ten thousand notifications while the loop is busy.
const usualBuffer = 4 << 20

// A delivery is what one datagram of notifications brought, or why there is
// none. ENOBUFS says that some were lost, and that more will come; any other
// error ends the subscription.
type delivery struct {
	messages []syscall.NetlinkMessage
	err      error
}

// A subscription hears of links, addresses, neighbours, routes and next-hop
// objects on one socket, so that changes arrive in the order they were made.
type subscription struct {
	socket     *nl.NetlinkSocket
	deliveries chan delivery
	stop       chan struct{}
}

var groups = []uint{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_NEXTHOP,
	unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
}

func subscribe(ns namespace, buffer int) (*subscription, error) {
	socket, err := nl.SubscribeAt(ns.handle, netns.None(), unix.NETLINK_ROUTE, groups...)
	if err != nil {
		return nil, fmt.Errorf("subscribe to netlink: %w", err)
	}
	// More than net.core.rmem_max takes CAP_NET_ADMIN; without, take what there is.
	if socket.SetReceiveBufferSize(buffer, true) != nil {
		if err := socket.SetReceiveBufferSize(buffer, false); err != nil {
			socket.Close()
			return nil, fmt.Errorf("netlink receive buffer: %w", err)
		}
	}
	s := &subscription{socket: socket, deliveries: make(chan delivery, 256), stop: make(chan struct{})}
	go s.receive()
	return s, nil
}

// receive only reads: while the loop is busy with a large table, notifications
// wait in the channel, then in the socket.
func (s *subscription) receive() {
	defer close(s.deliveries)
	for {
		messages, from, err := s.socket.Receive()
		if err == nil && from.Pid != nl.PidKernel {
			continue // any process may send to our socket; only the kernel is believed
		}
		select {
		case s.deliveries <- delivery{messages, err}:
		case <-s.stop:
			return
		}
		if err != nil && err != unix.ENOBUFS && err != unix.EINTR {
			return
		}
	}
}

func (s *subscription) close() {
	close(s.stop)
	s.socket.Close()
}
