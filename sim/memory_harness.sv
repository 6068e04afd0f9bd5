// An autonomous engine and an ideal external memory: it answers after LATENCY cycles, and then moves
// a bus word in every cycle, in both directions. `load` reads COUNT words of a file into it from
// FIRST on, `save` appends words to a file; files hold the highest octet of a word first. If STALLS
// is not zero, it is no ideal memory: all channels but the write requests are idle in random cycles.

module memory_harness #(
    parameter int DATA_BITS = 64,
    parameter int ADDRESS_BITS = 32,
    parameter int LITE_BITS = 9,
    parameter int WORDS = 1 << 20,
    parameter int LATENCY = 30
) (
    input  logic                 aclk,
    input  logic                 aresetn,
    input  logic                 load_image,
    input  logic                 load_input,
    input  logic                 save_output,
    input  logic [31:0]          first,
    input  logic [31:0]          count,
    input  logic [31:0]          stalls,
    output logic                 irq,
    output logic                 busy,
    output logic                 error,
    input  logic [LITE_BITS-1:0] s_axil_awaddr,
    input  logic [2:0]           s_axil_awprot,
    input  logic                 s_axil_awvalid,
    output logic                 s_axil_awready,
    input  logic [31:0]          s_axil_wdata,
    input  logic [3:0]           s_axil_wstrb,
    input  logic                 s_axil_wvalid,
    output logic                 s_axil_wready,
    output logic [1:0]           s_axil_bresp,
    output logic                 s_axil_bvalid,
    input  logic                 s_axil_bready,
    input  logic [LITE_BITS-1:0] s_axil_araddr,
    input  logic [2:0]           s_axil_arprot,
    input  logic                 s_axil_arvalid,
    output logic                 s_axil_arready,
    output logic [31:0]          s_axil_rdata,
    output logic [1:0]           s_axil_rresp,
    output logic                 s_axil_rvalid,
    input  logic                 s_axil_rready
);
    localparam int LOW = $clog2(DATA_BITS / 8);

    logic [DATA_BITS-1:0] words[WORDS];

    // Requests wait in queues; each knows the cycle from which on it may be answered.
    longint unsigned now = 0;
    longint unsigned read_due[$], answer_due[$];
    int unsigned read_first[$], read_beats[$], write_first[$], write_beats[$];
    int unsigned read_beat = 0, write_beat = 0;

    logic [ADDRESS_BITS-1:0] araddr, awaddr;
    logic [7:0] arlen, awlen;
    logic arvalid, arready, awvalid, awready, wvalid, wready, wlast, rready, bready;
    logic [DATA_BITS-1:0] wdata, rdata;
    logic [DATA_BITS/8-1:0] wstrb;
    logic rvalid = 0, rlast, bvalid = 0;

    // Marsaglia, Xorshift RNGs, 2003; an odd multiple of its state for each value of STALLS.
    logic [31:0] state = 1, drawn, left, right;
    assign left = state ^ state << 13;
    assign right = left ^ left >> 17;
    always_ff @(posedge aclk) state <= right ^ right << 5;
    assign drawn = state * (stalls << 1 | 1);

    logic read_idle, answer_idle;
    assign {read_idle, answer_idle} = stalls == 0 ? 2'b00 : drawn[31:30];
    assign {arready, wready} = stalls == 0 ? 2'b11 : drawn[29:28];
    assign awready = 1;

    qcnpe_autonomous engine (
        .m_axi_arid(), .m_axi_arsize(), .m_axi_arburst(), .m_axi_arlock(), .m_axi_arcache(),
        .m_axi_arprot(), .m_axi_awid(), .m_axi_awsize(), .m_axi_awburst(), .m_axi_awlock(),
        .m_axi_awcache(), .m_axi_awprot(),
        .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arvalid(arvalid),
        .m_axi_arready(arready),
        .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awvalid(awvalid),
        .m_axi_awready(awready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid),
        .m_axi_wready(wready),
        .m_axi_rid(1'b0), .m_axi_rdata(rdata), .m_axi_rresp(2'b00), .m_axi_rlast(rlast),
        .m_axi_rvalid(rvalid), .m_axi_rready(rready),
        .m_axi_bid(1'b0), .m_axi_bresp(2'b00), .m_axi_bvalid(bvalid), .m_axi_bready(bready),
        .*
    );

    always_ff @(posedge aclk) begin
        now <= now + 1;
        if (arvalid && arready) begin
            read_due.push_back(now + LATENCY);
            read_first.push_back(32'(araddr >> LOW));
            read_beats.push_back(32'(arlen) + 1);
        end
        if (!rvalid || rready) begin
            rvalid <= 0;
            if (read_due.size() != 0 && read_due[0] <= now && !read_idle) begin
                rvalid <= 1;
                rdata <= words[read_first[0] + read_beat];
                rlast <= read_beat + 1 == read_beats[0];
                if (read_beat + 1 == read_beats[0]) begin
                    read_beat = 0;
                    void'(read_due.pop_front());
                    void'(read_first.pop_front());
                    void'(read_beats.pop_front());
                end else read_beat = read_beat + 1;
            end
        end
        if (awvalid) begin
            write_first.push_back(32'(awaddr >> LOW));
            write_beats.push_back(32'(awlen) + 1);
        end
        // A burst's request comes before its first data, or with it.
        if (wvalid && wready) begin
            for (int octet = 0; octet < DATA_BITS / 8; octet++)
                if (wstrb[octet])
                    words[write_first[0] + write_beat][8*octet+:8] <= wdata[8*octet+:8];
            write_beat = write_beat + 1;
            if (wlast) begin
                write_beat = 0;
                void'(write_first.pop_front());
                void'(write_beats.pop_front());
                answer_due.push_back(now + LATENCY);
            end
        end
        bvalid <= 0;
        if (answer_due.size() != 0 && answer_due[0] <= now && !answer_idle) begin
            bvalid <= 1;
            void'(answer_due.pop_front());
        end
    end

    int image_file, input_file, output_file, got;
    initial begin
        image_file = $fopen("image.bin", "rb");
        input_file = $fopen("input.bin", "rb");
        output_file = $fopen("output.bin", "wb");
    end
    always_ff @(posedge aclk) begin
        if (load_image) got = $fread(words, image_file, int'(first), int'(count));
        if (load_input) got = $fread(words, input_file, int'(first), int'(count));
        if (save_output) begin
            for (int unsigned word = 0; word < count; word++)
                for (int octet = DATA_BITS / 8 - 1; octet >= 0; octet--)
                    $fwrite(output_file, "%c", words[first+word][8*octet+:8]);
            $fflush(output_file);
        end
    end
endmodule
