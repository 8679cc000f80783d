// Checks what Anjuan's evidence core makes with the Go project's own transparency-log library
// (golang.org/x/mod/sumdb: tlog and note), which shares no code with it: it accepts what is sound, and
// refuses everything changed. Usage: main FOLDER, as `evidence-vectors` left it.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type vectors struct {
	Leaves    []string `json:"leaves"`
	Roots     []string `json:"roots"`
	Inclusion []struct {
		Size  int64    `json:"size"`
		Index int64    `json:"index"`
		Proof []string `json:"proof"`
	} `json:"inclusion"`
	Consistency []struct {
		Old   int64    `json:"old"`
		New   int64    `json:"new"`
		Proof []string `json:"proof"`
	} `json:"consistency"`
	Checkpoints struct {
		LogKey      string   `json:"log_key"`
		WitnessKeys []string `json:"witness_keys"`
		Notes       []struct {
			Note   string `json:"note"`
			Origin string `json:"origin"`
			Size   int64  `json:"size"`
			Root   string `json:"root"`
			Time   uint64 `json:"time"`
		} `json:"notes"`
	} `json:"checkpoints"`
}

var passed, failed int

// expect counts one check.
func expect(holds bool, format string, args ...interface{}) {
	if holds {
		passed++
		return
	}
	failed++
	if failed <= 20 {
		fmt.Fprintf(os.Stderr, "FAILED: "+format+"\n", args...)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hash(text string) (h tlog.Hash) {
	n, err := hex.Decode(h[:], []byte(text))
	must(err)
	if n != len(h) {
		must(fmt.Errorf("a hash of %d bytes", n))
	}
	return h
}

func hashes(texts []string) []tlog.Hash {
	list := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		list[i] = hash(text)
	}
	return list
}

// changes gives every list that differs from this one by one bit of one hash, by a hash left out, put in,
// or exchanged with its neighbour.
func changes(proof []tlog.Hash) [][]tlog.Hash {
	var all [][]tlog.Hash
	copied := func() []tlog.Hash { return append([]tlog.Hash(nil), proof...) }
	for i := range proof {
		changed := copied()
		changed[i][i%len(changed[i])] ^= 1
		all = append(all, changed, append(copied()[:i], proof[i+1:]...))
		if i > 0 && proof[i] != proof[i-1] {
			swapped := copied()
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
			all = append(all, swapped)
		}
	}
	return append(all, append(copied(), tlog.Hash{}))
}

// stored is a log as the Go library computes it by itself.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = s[index]
	}
	return list, nil
}

func checkProofs(v *vectors) stored {
	var own stored
	for i, leaf := range v.Leaves {
		data, err := hex.DecodeString(leaf)
		must(err)
		more, err := tlog.StoredHashes(int64(i), data, own)
		must(err)
		own = append(own, more...)
		root, err := tlog.TreeHash(int64(i)+1, own)
		must(err)
		expect(root == hash(v.Roots[i+1]), "root of %d leaves", i+1)
	}
	leaf := func(i int64) tlog.Hash {
		data, err := hex.DecodeString(v.Leaves[i])
		must(err)
		return tlog.RecordHash(data)
	}
	for _, p := range v.Inclusion {
		proof, root := hashes(p.Proof), hash(v.Roots[p.Size])
		expect(tlog.CheckRecord(proof, p.Size, root, p.Index, leaf(p.Index)) == nil,
			"inclusion of %d in %d", p.Index, p.Size)
		theirs, err := tlog.ProveRecord(p.Size, p.Index, own)
		must(err)
		expect(fmt.Sprint(theirs) == fmt.Sprint(tlog.RecordProof(proof)), "proof of %d in %d", p.Index, p.Size)
		for _, changed := range changes(proof) {
			expect(tlog.CheckRecord(changed, p.Size, root, p.Index, leaf(p.Index)) != nil,
				"changed inclusion of %d in %d", p.Index, p.Size)
		}
		other := (p.Index + 1) % int64(len(v.Leaves))
		expect(tlog.CheckRecord(proof, p.Size, root, p.Index, leaf(other)) != nil,
			"another leaf at %d in %d", p.Index, p.Size)
	}
	for _, p := range v.Consistency {
		proof, older, newer := hashes(p.Proof), hash(v.Roots[p.Old]), hash(v.Roots[p.New])
		expect(tlog.CheckTree(proof, p.New, newer, p.Old, older) == nil, "%d continues %d", p.New, p.Old)
		theirs, err := tlog.ProveTree(p.New, p.Old, own)
		must(err)
		expect(fmt.Sprint(theirs) == fmt.Sprint(tlog.TreeProof(proof)), "proof that %d continues %d", p.New, p.Old)
		for _, changed := range changes(proof) {
			expect(tlog.CheckTree(changed, p.New, newer, p.Old, older) != nil,
				"changed proof that %d continues %d", p.New, p.Old)
		}
		expect(tlog.CheckTree(proof, p.New, newer, p.Old, leaf(0)) != nil || older == leaf(0),
			"%d continues another %d", p.New, p.Old)
	}
	return own
}

// tiles reads a folder laid out as C2SP tlog-tiles says: as the Go library has it, without the height.
type tiles string

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range list {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(t), path))
		if os.IsNotExist(err) && tile.W < 256 {
			// A narrower partial tile is the beginning of the full one, which may have taken its place.
			full := tile
			full.W = 256
			path = strings.Replace(full.Path(), "tile/8/", "tile/", 1)
			data, err = os.ReadFile(filepath.Join(string(t), path))
		}
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(data))
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func checkTiles(v *vectors, dir string, own stored) {
	size := int64(len(v.Leaves))
	tree := tlog.Tree{N: size, Hash: hash(v.Roots[size])}
	reader := tlog.TileHashReader(tree, tiles(filepath.Join(dir, "log")))
	for i := int64(0); i < size; i++ {
		index := tlog.StoredHashIndex(0, i)
		read, err := reader.ReadHashes([]int64{index})
		expect(err == nil && read[0] == own[index], "leaf %d in the tiles: %v", i, err)
	}
	wrong := tlog.Tree{N: size, Hash: hash(v.Roots[size-1])}
	_, err := tlog.TileHashReader(wrong, tiles(filepath.Join(dir, "log"))).ReadHashes([]int64{0})
	expect(err != nil, "tiles under another root")
}

// cosigner verifies C2SP tlog-cosignature v1, which this version of the library does not know, by the
// interface that it has for such.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
	time uint64
}

func newCosigner(vkey string) *cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	if len(key) != 33 || key[0] != 4 {
		must(fmt.Errorf("not the key of a cosigner: %s", vkey))
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	id, err := strconv.ParseUint(parts[1], 16, 32)
	must(err)
	expect(binary.BigEndian.Uint32(sum[:4]) == uint32(id), "key id of %s", parts[0])
	return &cosigner{name: parts[0], hash: uint32(id), key: key[1:]}
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	c.time = binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", c.time, text)
	return ed25519.Verify(c.key, []byte(message), sig[8:])
}

// respelt is a note with its signatures in the one canonical base64.
func respelt(n *note.Note) []byte {
	for i, sig := range n.Sigs {
		raw, err := base64.StdEncoding.DecodeString(sig.Base64)
		must(err)
		n.Sigs[i].Base64 = base64.StdEncoding.EncodeToString(raw)
	}
	msg, err := note.Sign(n)
	must(err)
	return msg
}

func checkNotes(v *vectors) {
	log, err := note.NewVerifier(v.Checkpoints.LogKey)
	must(err)
	verifiers := []note.Verifier{log}
	var cosigners []*cosigner
	for _, vkey := range v.Checkpoints.WitnessKeys {
		c := newCosigner(vkey)
		cosigners = append(cosigners, c)
		verifiers = append(verifiers, c)
	}
	known := note.VerifierList(verifiers...)
	for number, n := range v.Checkpoints.Notes {
		msg := []byte(n.Note)
		opened, err := note.Open(msg, known)
		expect(err == nil && len(opened.Sigs) == len(verifiers) && len(opened.UnverifiedSigs) == 0,
			"note %d: %v", number, err)
		if err != nil {
			continue
		}
		root := hash(n.Root)
		text := fmt.Sprintf("%s\n%d\n%s\n", n.Origin, n.Size, base64.StdEncoding.EncodeToString(root[:]))
		expect(opened.Text == text, "text of note %d", number)
		expect(n.Root == v.Roots[n.Size], "root of note %d", number)
		for _, c := range cosigners {
			expect(c.time == n.Time, "time of %s on note %d", c.name, number)
		}
		again, err := note.Sign(opened)
		expect(err == nil && bytes.Equal(again, msg), "note %d as the library writes it", number)
		for place := range msg {
			for bit := 0; bit < 8; bit++ {
				changed := append([]byte(nil), msg...)
				changed[place] ^= 1 << bit
				opened, err := note.Open(changed, known)
				// A changed name or id makes a signature an unknown key's: it no longer counts.
				refused := err != nil || len(opened.Sigs) < len(verifiers)
				// This library takes anything in the spare bits of base64, which change no byte of the
				// signature; Anjuan refuses that, too.
				expect(refused || bytes.Equal(respelt(opened), msg), "note %d with byte %d changed", number, place)
			}
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: main FOLDER")
		os.Exit(2)
	}
	data, err := os.ReadFile(filepath.Join(os.Args[1], "vectors.json"))
	must(err)
	var v vectors
	must(json.Unmarshal(data, &v))
	own := checkProofs(&v)
	checkTiles(&v, os.Args[1], own)
	checkNotes(&v)
	fmt.Printf("second opinion: %d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
