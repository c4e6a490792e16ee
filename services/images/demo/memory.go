package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const pieceSize = 4 << 20

// eatMemory takes memory piece by piece and touches every page, so that the limit of its cgroup is met on the way.
func eatMemory(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("give a size such as 200M")
	}
	wanted, err := parseSize(arguments[0])
	if err != nil {
		return err
	}
	var pieces [][]byte
	for taken := int64(0); taken < wanted; taken += pieceSize {
		piece := make([]byte, pieceSize)
		for at := 0; at < len(piece); at += os.Getpagesize() {
			piece[at] = 1
		}
		pieces = append(pieces, piece)
	}
	fmt.Printf("holding %d bytes\n", int64(len(pieces))*pieceSize)
	<-ctx.Done()
	// Read after the wait, so that the collector cannot take the pieces back before it.
	fmt.Printf("letting go of %d pieces\n", len(pieces))
	return nil
}

// parseSize reads a number of bytes with an optional K, M or G (powers of 1024).
func parseSize(text string) (int64, error) {
	shift := 0
	for suffix, bits := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if number, found := strings.CutSuffix(text, suffix); found {
			text, shift = number, bits
			break
		}
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number <= 0 || number > (1<<62)>>shift {
		return 0, fmt.Errorf("%q is no size such as 200M", text)
	}
	return number << shift, nil
}
