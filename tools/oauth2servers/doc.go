// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package oauth2servers tests oauth2_access_token with third-party authorization servers. It is a separate module, so that
// the provider does not require the modules of these servers.
package oauth2servers
