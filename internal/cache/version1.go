// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"
)

// This file lets processes of the first version use the same directory. That version keeps the mark on a refresh token in
// the encrypted entry of its request, under a name of its own. Directory.Clear therefore leaves these entries. The file can go
// when nobody runs that version any more.

const (
	prefix1 = "v1-"
	magic1  = "ixtoken\x01" // as long as entryMagic
)

// mark1 sets or removes the mark of the first version, if processes of that version use the directory. Its error is ErrSpent
// if one of them has set the mark before. The name follows from key.Bound, which is the digest in that version.
func (d *Directory) mark1(ctx context.Context, key Key, spent bool) error {
	if used, err := fs.Glob(d.root.FS(), prefix1+"*"+lockSuffix); err != nil || used == nil {
		return err
	}
	name := Name(prefix1 + hex.EncodeToString(key.Bound[:16]))
	release, err := d.lock(ctx, name) // a process of the first version holds it while it sends the request
	if err != nil {
		return err
	}
	defer release()
	content := map[string]any{}
	if data, err := d.read(name.file(Token), maxEntrySize); err == nil {
		if text, err := key.open(data, ""); err == nil {
			_ = json.Unmarshal(text, &content) // what is no JSON holds no mark
		}
	}
	if content["spent"] == true && spent {
		return ErrSpent
	}
	content["spent"] = spent
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("the mark for another version: %w", err)
	}
	data, err := key.seal(magic1, "", text, time.Time{})
	if err == nil {
		err = d.replace(name, Token, data)
	}
	return err
}
