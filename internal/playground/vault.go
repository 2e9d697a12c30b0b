// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package playground

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Vault is a Vault server that has only the secrets engine KV, version 2, in memory.
type Vault struct {
	server *httptest.Server
	token  string // the only one that is accepted

	mu      sync.Mutex
	secrets map[string]map[string]any // by mount and name, joined by "/data/"
}

func startVault() *Vault {
	v := &Vault{token: rand.Text(), secrets: map[string]map[string]any{}}
	v.server = httptest.NewServer(http.HandlerFunc(v.serve))
	return v
}

// put stores a secret, as "vault kv put" does.
func (v *Vault) put(mount, name string, data map[string]any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[mount+"/data/"+name] = data
}

// Get returns a secret; nil if there is none.
func (v *Vault) Get(mount, name string) map[string]any {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.secrets[mount+"/data/"+name]
}

// serve answers as Vault's HTTP API does ("KV secrets engine, version 2").
func (v *Vault) serve(w http.ResponseWriter, r *http.Request) {
	mount, name, isData := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/data/")
	switch known := v.Get(mount, name); {
	case r.Header.Get("X-Vault-Token") != v.token:
		w.WriteHeader(http.StatusForbidden)
	case isData && r.Method == http.MethodPut:
		var sent struct{ Data map[string]any }
		if json.NewDecoder(r.Body).Decode(&sent) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		v.put(mount, name, sent.Data)
	case isData && r.Method == http.MethodDelete:
		v.put(mount, name, nil)
		w.WriteHeader(http.StatusNoContent)
	case isData && r.Method == http.MethodGet && known != nil:
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": known}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
