// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"log/slog"

	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// logHandler hands what the client tells to Terraform's log. It writes values as slog resolves them, so that a secret
// arrives as [redacted].
type logHandler struct{}

func (logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (logHandler) Handle(ctx context.Context, record slog.Record) error {
	fields := map[string]any{}
	record.Attrs(func(attribute slog.Attr) bool {
		fields[attribute.Key] = attribute.Value.Resolve().String()
		return true
	})
	if record.Level >= slog.LevelWarn {
		tflog.Warn(ctx, record.Message, fields)
	} else {
		tflog.Debug(ctx, record.Message, fields)
	}
	return nil
}

// WithAttrs and WithGroup are not used by the client.
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h logHandler) WithGroup(string) slog.Handler { return h }
