// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	dialTimeout = 10 * time.Second       // for the connection, after the lookup of the host's name
	ipv6Lead    = 300 * time.Millisecond // that net.Dialer gives to the first family of addresses too (RFC 8305)
	leastShare  = 2 * time.Second        // that net.Dialer gives to each address too, where it has several
)

// dialer connects to a host by its name. net.Dialer waits for the addresses of both families first, and its Timeout includes
// that wait. Some name servers answer for one family only. Without an answer for the other one, the wait takes as long as the
// system allows: ten seconds for each name server, as most systems are set up.
//
// dialer looks up each family for itself, and connects as soon as one has addresses. Timeout is for the connection. The
// lookup has the time of the whole request.
type dialer struct{ net.Dialer }

func newDialer() *dialer { return &dialer{net.Dialer{Timeout: dialTimeout}} }

// dialled is what came of one family.
type dialled struct {
	connection net.Conn
	err        error
}

// DialContext connects to an address such as host:443. IPv4 waits until IPv6 has failed, or has had its lead.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(address); isAddress(host) {
		return d.Dialer.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	atOnce, later := make(chan struct{}), make(chan struct{})
	close(atOnce)
	startIPv4 := sync.OnceFunc(func() { close(later) })
	defer time.AfterFunc(ipv6Lead, startIPv4).Stop()
	ipv6, ipv4 := d.dialFamily(ctx, "ip6", network, address, atOnce), d.dialFamily(ctx, "ip4", network, address, later)
	first, other := dialled{}, ipv4
	select {
	case first = <-ipv6:
	case first = <-ipv4:
		other = ipv6
	}
	if first.err == nil {
		go func() {
			if late := <-other; late.err == nil {
				_ = late.connection.Close()
			}
		}()
		return first.connection, nil
	}
	startIPv4()
	second := <-other
	if second.err != nil && hasNoAddress(second.err) {
		second.err = first.err
	}
	return second.connection, second.err
}

// isAddress reports whether host needs no lookup.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// dialFamily connects to the host's addresses of one family, one after the other. It does not connect before start is closed.
func (d *dialer) dialFamily(ctx context.Context, family, network, address string, start <-chan struct{}) <-chan dialled {
	done := make(chan dialled, 1)
	go func() {
		connection, err := d.lookUpAndDial(ctx, family, network, address, start)
		done <- dialled{connection, err}
	}()
	return done
}

func (d *dialer) lookUpAndDial(ctx context.Context, family, network, address string, start <-chan struct{}) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := cmp.Or(d.Resolver, net.DefaultResolver).LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, err
	}
	select {
	case <-start:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	end := time.Now().Add(d.Timeout)
	var connection net.Conn
	for i, one := range found {
		each := d.Dialer
		each.Deadline, each.Timeout = end, max(time.Until(end)/time.Duration(len(found)-i), leastShare)
		if connection, err = each.DialContext(ctx, network, net.JoinHostPort(one.Unmap().String(), port)); err == nil || ctx.Err() != nil {
			break
		}
	}
	return connection, err
}

// hasNoAddress reports whether err says that the host has no address of a family.
func hasNoAddress(err error) bool {
	var unknown *net.DNSError
	return errors.As(err, new(*net.AddrError)) || errors.As(err, &unknown) && unknown.IsNotFound
}
