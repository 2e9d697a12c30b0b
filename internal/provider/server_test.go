// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const thrown = "CANARY-0c5be1f7"

// panicking answers every call by throwing a value that holds a secret.
type panicking struct{ tfprotov6.ProviderServer }

// methods are those of the protocol. Calls of a type that this provider has none of are not made.
func methods(of reflect.Type) (called []reflect.Method) {
	for i := range of.NumMethod() {
		if method := of.Method(i); !forOthers.MatchString(method.Name) {
			called = append(called, method)
		}
	}
	return called
}

// forOthers are the calls for managed resources, actions, list resources and state stores.
var forOthers = regexp.MustCompile(`^(ValidateResourceConfig|UpgradeResource\w+|ReadResource|PlanResourceChange|ApplyResourceChange|ImportResourceState|MoveResourceState|GenerateResourceConfig)$`)
